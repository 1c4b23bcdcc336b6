// Package plugin finds, installs and checks the PJRT plugins that XLA needs.
//
// A PJRT plugin is a shared library, such as pjrt_c_api_cpu_plugin.so, that go-xla loads when a program asks for the
// backend "xla". This package looks for plugins where go-xla looks ([Find]), installs a missing CPU plugin there
// ([Install]), records what it installed ([Record]) and reports a file that has changed since ([Verify]).
//
// The package loads no plugin, so it builds without cgo and on every platform. What go-xla learns by loading (is the
// file a shared library for this machine, does it export GetPjrtApi) it reads from the file's headers.
package plugin
