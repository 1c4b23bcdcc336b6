// Package exercise reports on the answers to the exercises of the lessons. The packages below it, one for each lesson,
// check them: a check returns nil for a right answer, and else a [Fault] with a hint.
//
// In a notebook:
//
//	exercise.English(1, lesson1.Shapes(open().Backend, shapesOf))
package exercise

import (
	"errors"
	"fmt"
	"log"
	"os"
)

// Fault is what is wrong with an answer, in both languages of the lessons.
type Fault struct{ English, Chinese string }

func (f Fault) Error() string { return f.English }

// Faultf returns a [Fault]. Both formats have the same arguments; where the order differs, use indices such as %[2]d.
func Faultf(english, chinese string, args ...any) error {
	return Fault{fmt.Sprintf(english, args...), fmt.Sprintf(chinese, args...)}
}

// English prints that the answer to the exercise of that number is right, or says what is wrong with it and stops the
// program.
func English(number int, err error) {
	stopAt(err, func(f Fault) string { return f.English })
	fmt.Printf("exercise %d: right\n", number)
}

// Chinese is [English] in Chinese.
func Chinese(number int, err error) {
	stopAt(err, func(f Fault) string { return f.Chinese })
	fmt.Printf("练习%d：正确\n", number)
}

// stopAt stops the program with the text of a Fault, or with another error as it is.
func stopAt(err error, text func(Fault) string) {
	check := log.New(os.Stderr, "✗ ", 0)
	if f, ok := errors.AsType[Fault](err); ok {
		check.Fatal(text(f))
	}
	if err != nil {
		check.Fatal(err)
	}
}
