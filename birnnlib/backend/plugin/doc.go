// Package plugin finds, installs and checks the PJRT plugins that XLA needs.
//
// A PJRT plugin is one shared library, for instance pjrt_c_api_cpu_plugin.so,
// that go-xla loads when a program asks for the backend "xla". This package
// looks for plugins where go-xla looks ([Find]), puts the CPU plugin there when
// it is missing ([Install]), remembers what it put there ([Record]) and reports
// when the file has changed since ([Verify]).
//
// Nothing here loads a plugin, so the package builds without cgo and on every
// platform; what go-xla would find out by loading (is it a shared library for
// this machine, does it export GetPjrtApi) is read from the file's headers.
package plugin
