// Package lesson7 checks the exercises of lesson 7, on what becomes of a formula on the machine.
package lesson7

import (
	"math"

	"birnn/notebooks/kit/exercise"
)

// LSTM checks exercise 1: ofLSTM counts the floating-point operations of the matrix products of a bidirectional LSTM,
// forwards, for T time steps, n sequences, d inputs and h units in each direction.
func LSTM(ofLSTM func(T, n, d, h int) int) error {
	return exercise.Try(func() error {
		for _, s := range sizes {
			T, n, d, h := s[0], s[1], s[2], s[3]
			switch got, want := ofLSTM(T, n, d, h), lstmOperations(T, n, d, h); {
			case got == want:
			case got*4 == want:
				return exercise.Faultf("%d is a plain RNN: how many gates and candidates does an LSTM have?",
					"%d是普通的RNN：LSTM有几个门和候选？", got)
			case got*4 == want*3:
				return exercise.Faultf("%d is three gates: does the candidate have no product?", "%d只有三个门：候选没有乘积吗？", got)
			case got*2 == want:
				return exercise.Faultf("%d is half: both directions? an addition for each multiplication?",
					"%d是一半：两个方向都算了吗？每次乘法还有一次加法", got)
			default:
				return exercise.Faultf("T=%d n=%d d=%d h=%d: %d, and the graph has %d",
					"T=%d n=%d d=%d h=%d: %d，计算图里有%d", T, n, d, h, got, want)
			}
		}
		return nil
	})
}

// sizes are the T, n, d and h for which operations are counted.
var sizes = [][4]int{{50, 3, 5, 7}, {40, 4, 16, 8}}

// lstmOperations is how many operations the products of a bidirectional LSTM have. A test compares it with the graph.
func lstmOperations(T, n, d, h int) int { return 16 * T * n * (d*h + h*h) }

// Training checks exercise 2: ofTraining counts the operations of the matrix products of a training step of the lesson's
// bidirectional network, to 2 %. The gradients are those of the parameters, not of X.
func Training(ofTraining func(T, n, d, h int) int) error {
	return exercise.Try(func() error {
		for _, s := range sizes {
			T, n, d, h := s[0], s[1], s[2], s[3]
			got, want := ofTraining(T, n, d, h), trainingOperations(T, n, d, h)
			of := func(inputs, states int) int { return 4 * T * n * (inputs*d*h + states*h*h) }
			switch {
			case math.Abs(float64(got)/float64(want)-1) < 0.02:
			case got == of(1, 1):
				return exercise.Faultf("that is the forward computation alone", "这只是前向计算")
			case got == of(3, 3):
				return exercise.Faultf("does anybody ask for the gradient with respect to X?", "有人要对X的梯度吗？")
			case got == of(2, 2):
				return exercise.Faultf("each state has a gradient, and so has each weight: H_{t-1} W_hh comes back as two products",
					"状态有梯度，权重也有：H_{t-1} W_hh往回是两个乘积")
			case got == of(1, 2):
				return exercise.Faultf("that is without the forward computation", "这里没有算前向计算")
			case 2*got == of(2, 3):
				return exercise.Faultf("%d is half: both directions? an addition for each multiplication?",
					"%d是一半：两个方向都算了吗？每次乘法还有一次加法", got)
			default:
				return exercise.Faultf("T=%d n=%d d=%d h=%d: %d, and the graph has %d on XLA",
					"T=%d n=%d d=%d h=%d: %d，XLA的计算图里有%d", T, n, d, h, got, want)
			}
		}
		return nil
	})
}

// trainingOperations is how many operations the products of a training step have, on XLA. A test compares it with the
// graph. (In pure Go, birnnlib also computes the gradient of b_h, a sum, as a product.)
func trainingOperations(T, n, d, h int) int {
	return 4 * n * (2*T*d*h + (3*T-1)*h*h) // no gradient goes to H_0
}

// Products checks exercise 3: products counts the matrix products in the program of the bidirectional network for T time
// steps, with u of them in the body of the loop: 2 with the inputs, and for each direction u in the body and those of the
// steps after the last round. Without a loop, where u ≥ T, each direction has T.
func Products(products func(T, u int) int) error {
	return exercise.Try(func() error {
		for _, s := range programs {
			T, u := s[0], s[1]
			switch got, want := products(T, u), productsOf(T, u); {
			case got == want:
			case got == want-2:
				return exercise.Faultf("T=%d u=%d: %d; the products of the inputs come before the loops",
					"T=%d u=%d: %d；输入的乘积在循环之前", T, u, got)
			case got*2 == want:
				return exercise.Faultf("T=%d u=%d: %d; does each direction have its own?",
					"T=%d u=%d: %d；两个方向各有各的吗？", T, u, got)
			case u < T && got == 2+2*u:
				return exercise.Faultf("T=%d u=%d: %d; what of the steps that do not fill a round?",
					"T=%d u=%d: %d；凑不满一圈的步呢？", T, u, got)
			case u < T && got == 2+2*T:
				return exercise.Faultf("T=%d u=%d: %d; the body of a loop is there once, however often it runs",
					"T=%d u=%d: %d；循环体不管运行几次，程序里只有一份", T, u, got)
			default:
				return exercise.Faultf("T=%d u=%d: %d, and the program has %d", "T=%d u=%d: %d，程序里有%d", T, u, got, want)
			}
		}
		return nil
	})
}

// programs are the T and u of the programs whose products are counted.
var programs = [][2]int{{5, 5}, {9, 20}, {1, 1}, {12, 1}, {12, 4}, {100, 8}, {10, 6}}

// productsOf is how many matrix products a program has. A test compares it with programs.
func productsOf(T, u int) int {
	if u >= T {
		return 2 + 2*T
	}
	return 2 + 2*(u+T%u)
}
