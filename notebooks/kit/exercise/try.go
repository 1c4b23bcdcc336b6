package exercise

import "errors"

// Try calls f, which calls the answer to an exercise, and returns its error. Where f panics or returns an error other
// than a [Fault], it returns a Fault with that text, without a stack and without what GoMLX says about its graph around
// the text of a panic.
func Try(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = failed(p)
		}
	}()
	err = f()
	if _, ok := errors.AsType[Fault](err); err == nil || ok {
		return err
	}
	return failed(err)
}

func failed(cause any) error {
	if err, ok := cause.(error); ok {
		for inner := err; inner != nil; inner = errors.Unwrap(inner) {
			cause = inner
		}
	}
	return Faultf("the answer stops with an error: %v", "你的代码出错停了：%v", cause)
}
