package backend

import (
	"flag"
	"os"

	"k8s.io/klog/v2"
)

// TimingEnv is the environment variable that, if set, makes go-xla write to standard error what it compiles and how long
// that takes. The notebooks' kernel sets it for %timing.
const TimingEnv = "BIRNN_TIMING"

func logCompileTime() {
	if os.Getenv(TimingEnv) == "" {
		return
	}
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	flags.Set("vmodule", "executable=1") // the file of go-xla that compiles
}
