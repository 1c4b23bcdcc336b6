package backend

import (
	"flag"
	"os"

	"k8s.io/klog/v2"
)

// TimingEnv is the environment variable that, when set, has go-xla write to standard error what it compiles and how
// long that takes. The notebook's kernel asks so for %timing.
const TimingEnv = "BIRNN_TIMING"

func tellCompileTime() {
	if os.Getenv(TimingEnv) == "" {
		return
	}
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	flags.Set("vmodule", "executable=1") // the file of go-xla that compiles
}
