package lesson_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"birnn/birnnlib/examples/segment"
	"birnn/notebooks/kit/lesson"

	"github.com/gomlx/gomlx/core/tensors"
)

func TestRows(t *testing.T) {
	train := lesson.NewRows([]segment.Line{{"他", "马上", "下来"}, {"上下", "一二三四五"}, {"来"}}, 4, nil)
	if want := []segment.Line{{"他", "马上"}, {"下来"}, {"上下"}, {"来"}}; !reflect.DeepEqual(train.Lines, want) {
		t.Errorf("the rows are %q, want %q", train.Lines, want)
	}
	if n := train.Characters(); n != 4 { // 上, 下 and 来 occur twice
		t.Errorf("%d numbers, want 4", n)
	}
	test := lesson.NewRows([]segment.Line{{"下来", "他"}}, 4, train)
	x, y := test.Tensors(test.Lines, 1)
	if got, want := tensors.MustCopyFlatData[int32](x), []int32{2, 3, 0, 0, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("x is %d, want %d", got, want)
	}
	want := []int32{int32(segment.Begin), int32(segment.End), int32(segment.Single), -1}
	if got := tensors.MustCopyFlatData[int32](y); !reflect.DeepEqual(got, want) {
		t.Errorf("y is %d, want %d", got, want)
	}
	if n := len(test.Draw(rand.New(rand.NewPCG(1, 1)), 3)); n != 3 {
		t.Errorf("%d rows were drawn, want 3", n)
	}
}

func TestScore(t *testing.T) {
	rows := lesson.NewRows([]segment.Line{{"下来", "他"}, {"他"}}, 3, nil)
	scores := tensors.FromValue([][][]float32{ // [3, 2, 4]: BES, and S
		{{0, -9, -9, -9}, {-9, -9, -9, 0}},
		{{-9, -9, 0, -9}, {0, 0, 0, 0}},
		{{-9, -9, -9, 0}, {0, 0, 0, 0}},
	})
	score, err := lesson.Score(rows.Lines, scores)
	if err != nil || score != (segment.Score{True: 3, Found: 3, Right: 3}) {
		t.Errorf("%+v (%v), want all 3 words right", score, err)
	}
}
