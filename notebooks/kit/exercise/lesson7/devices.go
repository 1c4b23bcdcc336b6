package lesson7

import (
	"math"
	"slices"
	"time"

	"birnn/birnnlib/backend"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
)

// Combined checks exercise 4: combined returns the gradient of the mean loss of n1+n2 sequences from that of the mean
// loss of the first n1, and that of the other n2: the mean of both, weighted by how many sequences each has.
func Combined(combined func(g1, g2 []float32, n1, n2 int) []float32) error {
	return exercise.Try(func() error {
		for _, n := range [][2]int{{9, 3}, {1, 4}, {5, 5}} {
			if err := combinedOf(n[0], n[1], combined); err != nil {
				return err
			}
		}
		return nil
	})
}

func combinedOf(n1, n2 int, combined func(g1, g2 []float32, n1, n2 int) []float32) error {
	g1, g2 := []float32{0.3, -1.2, 0.8, 0.05}, []float32{-0.4, 0.9, 0.5, 2}
	got := combined(slices.Clone(g1), slices.Clone(g2), n1, n2)
	if len(got) != len(g1) {
		return exercise.Faultf("the gradient has %d numbers instead of %d", "梯度有%d个数，应当有%d个", len(got), len(g1))
	}
	part := float32(n1) / float32(n1+n2)
	is := func(w1, w2 float32) bool {
		for i := range got {
			if !(math.Abs(float64(got[i]-w1*g1[i]-w2*g2[i])) < 1e-5) {
				return false
			}
		}
		return true
	}
	switch {
	case is(part, 1-part):
		return nil
	case is(1, 1):
		return exercise.Faultf("the sum is the gradient of the sum of two means", "和是两个平均之和的梯度")
	case is(0.5, 0.5):
		return exercise.Faultf("the mean of both is right only if both have as many sequences", "只有两份一样多时，才可以直接取平均")
	case is(1-part, part):
		return exercise.Faultf("n1=%d, n2=%d: the weights are exchanged", "n1=%d，n2=%d：两个权重颠倒了", n1, n2)
	case is(float32(n1), float32(n2)):
		return exercise.Faultf("that is the gradient of the sum of all losses, and not of their mean", "这是全部损失之和的梯度，不是平均的")
	case is(1, 0) || is(0, 1):
		return exercise.Faultf("n1=%d, n2=%d: that is the gradient of one device alone; the quotient of two integers is an integer in Go",
			"n1=%d，n2=%d：这只是一个设备的梯度；在Go里，两个整数的商是整数", n1, n2)
	}
	return exercise.Faultf("n1=%d, n2=%d: from %v and %v come %v", "n1=%d，n2=%d：由%v和%v得到%v", n1, n2, g1, g2, got)
}

// Threefold checks exercise 5: threefold returns a number T of time steps from which on the unrolled form takes three
// times as long to compile as the loop, on XLA. Times vary: right is a T at which it takes at least 2.25 times as long,
// while at half of T it takes at most 4 times as long.
func Threefold(b *backend.Opened, threefold func(b *backend.Opened) (T int)) error {
	if b.IsPureGo() {
		return exercise.Faultf("this needs XLA: choose the kernel birnn-xla", "这一道需要XLA：请选内核birnn-xla")
	}
	return exercise.Try(func() error {
		return threefoldAt(threefold(b), func(T int) (float64, error) { return ratio(b.Backend, T) })
	})
}

// threefoldAt checks T by the ratio of the times to compile.
func threefoldAt(T int, ratio func(T int) (float64, error)) error {
	switch {
	case T < 2:
		return exercise.Faultf("T = %d: with fewer than two steps there is no loop at all", "T = %d：少于两步就根本没有循环", T)
	case T > 128:
		return exercise.Faultf("T = %d is much too large", "T = %d太大了", T)
	}
	here, err := ratio(T)
	if err != nil {
		return err
	}
	if here < 2.25 {
		return exercise.Faultf("at T = %d it takes %.1f times as long, and not yet three times", "T = %d时用了%.1f倍的时间，还不到三倍", T, here)
	}
	half, err := ratio(max(2, T/2))
	if err != nil {
		return err
	}
	if half > 4 {
		return exercise.Faultf("at T = %d, which is half of it, it takes %.1f times as long already",
			"T = %d，也就是它的一半，已经用了%.1f倍的时间", T/2, half)
	}
	return nil
}

// ratio measures how many times longer the unrolled form of a training step takes to compile than the loop.
func ratio(b compute.Backend, T int) (float64, error) {
	var seconds [2]float64
	for i, form := range []int{loop, unrolled} {
		seconds[i] = math.Inf(1)
		for range 3 { // the fastest counts, since other programs only make it slower
			exec, err := model.NewExec(b, model.NewStore(), training(9, form)) // with another h than in the lesson
			if err != nil {
				return 0, err
			}
			started := time.Now()
			_, err = exec.Compile(f32(T, 2, 5))
			seconds[i] = min(seconds[i], time.Since(started).Seconds())
			exec.Finalize()
			if err != nil {
				return 0, err
			}
		}
	}
	return seconds[1] / seconds[0], nil
}
