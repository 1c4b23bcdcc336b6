package exercise

import (
	"errors"
	"fmt"
)

// Try calls f, which calls the answer to an exercise, and returns its error. Where f panics or returns an error other
// than a [Fault], it returns a Fault with that text, without a stack.
func Try(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = failed(fmt.Sprint(p))
		}
	}()
	err = f()
	if _, ok := errors.AsType[Fault](err); err == nil || ok {
		return err
	}
	return failed(err.Error())
}

func failed(text string) error {
	return Faultf("the answer stops with an error: %s", "你的代码出错停了：%s", text)
}
