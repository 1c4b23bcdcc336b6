// Package lesson2 checks the exercises of lesson 2, why two directions.
package lesson2

import (
	"birnn/notebooks/kit/exercise"
	"birnn/notebooks/kit/lesson"
)

// The window of y(t): x(t-10) to x(t+19).
const oldest, newest = -10, 19

// floor returns the smallest mean squared error of an estimate of y(t) from x(t+first) to x(t+last) only.
func floor(first, last int) (variance float64) {
	for k := oldest; k <= newest; k++ {
		if k < first || k > last {
			variance += lesson.Weight(k) * lesson.Weight(k) / 12
		}
	}
	return variance
}

// Enough checks exercise 1: enough returns the smallest delay with which the floor of the forward network is at most mse,
// for values of mse between the floors of any two delays, above all of them, and 0.
func Enough(enough func(mse float64) int) error {
	at := func(D int) float64 { return floor(oldest, D) }
	asked := []float64{0.01}
	for D := range newest {
		asked = append(asked, (at(D)+at(D+1))/2)
	}
	return exercise.Try(func() error {
		for _, mse := range append(asked, 0) {
			switch D := enough(mse); {
			case D < 0 || D > newest:
				return exercise.Faultf("enough(%.3g) is %d, not a delay from 0 to 19", "enough(%.3g)是%d，不是从0到19的延迟", mse, D)
			case at(D) > mse:
				return exercise.Faultf("enough(%.3g) is %d, but with that delay the floor is still %.3g", "enough(%.3g)是%d，可是那样下限还有%.3g",
					mse, D, at(D))
			case D > 0 && at(D-1) <= mse:
				return exercise.Faultf("enough(%.3g) is %d, but %d would do", "enough(%.3g)是%d，其实%d就够了", mse, D, D-1)
			}
		}
		return nil
	})
}

// Posted checks exercise 3: the mean squared error mse of the post's network, measured with the standard error se, is near
// the floor of the forward network, and so is the guess.
func Posted(guessed, mse, se float64) error {
	forward := floor(oldest, 0)
	switch {
	case se == 0:
		return exercise.Faultf("posted returns nothing yet", "posted还没有返回什么")
	case mse < 0.02*varY:
		return exercise.Faultf("%.6f is as good as both directions: train and measure with asPosted",
			"%.6f和双向的一样好：训练和测量都要用asPosted", mse)
	case mse < forward-3*se:
		return exercise.Faultf("%.6f is below the floor of a network that sees nothing of the future: is the output delayed?",
			"%.6f低于看不到未来的网络的下限：输出延迟了吗？", mse)
	case mse > 10*varY:
		return exercise.Faultf("%.6f is more than ten times Var[y]: measure returns the mean squared error first, then the error rate",
			"%.6f超过Var[y]的十倍：measure先返回均方误差，再返回错误率", mse)
	case mse > 1.15*forward:
		return exercise.Faultf("%.6f is too high: is anything left out in training, or is it measured with another delay?",
			"%.6f太高了：训练漏了什么吗？测量时延迟变了吗？", mse)
	case guessed < 0.85*mse || guessed > 1.15*mse:
		return exercise.Faultf("trained: %.6f; your guess was %.6f. What does this network see of the future?",
			"训练得到%.6f；你的猜测是%.6f。这个网络看到多少未来？", mse, guessed)
	}
	return nil
}
