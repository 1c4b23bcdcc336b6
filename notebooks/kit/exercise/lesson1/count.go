package lesson1

import (
	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
)

// Count checks exercise 3: count returns the number of parameters that birnnlib makes, for one to three hidden layers.
func Count(b compute.Backend, count func(d, q int, layers ...birnnlib.Sizes) int) error {
	const d, q = 7, 2
	all := []birnnlib.Sizes{{Forward: 5, Backward: 3}, {Forward: 4, Backward: 6}, {Forward: 1, Backward: 9}}
	for n := 1; n <= len(all); n++ {
		params, err := parameters(b, d, q, all[:n]...)
		if err != nil {
			return err
		}
		want, biases := 0, 0
		for v := range params.IterVariables() {
			want += v.Shape().Size()
			if v.Shape().Rank() == 1 {
				biases += v.Shape().Size()
			}
		}
		if err := exercise.Try(func() error { return number(n, count(d, q, all[:n]...), want, biases) }); err != nil {
			return err
		}
	}
	return nil
}

// number compares the number of parameters of a network with n hidden layers.
func number(n, got, want, biases int) error {
	switch {
	case got == want:
		return nil
	case got == want-biases:
		return exercise.Faultf("hidden layers: %d; %d parameters instead of %d; the biases are missing",
			"%d个隐藏层：%d个参数，应当是%d个；缺了偏差", n, got, want)
	case n == 1:
		return exercise.Faultf("one hidden layer: %d parameters instead of %d; add up the sizes of the shapes of exercise 1",
			"一个隐藏层：%d个参数，应当是%d个；把练习1的形状的大小加起来", got, want)
	}
	return exercise.Faultf("hidden layers: %d; %d parameters instead of %d; one layer is right, so how many inputs has the next?",
		"%d个隐藏层：%d个参数，应当是%d个；一层是对的，那么下一层有几个输入？", n, got, want)
}
