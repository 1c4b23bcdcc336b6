package command

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"birnn/kernels/internal/setup"
)

func (a *app) doctor(ctx context.Context, args []string) int {
	f := a.flags("doctor", "", "Reports what is installed, and its version; computes something on each backend and\nruns a cell in each kernel. For every problem it names the command that repairs it.\nThe exit code is 1 if there is a problem.")
	f.jupyterFlag()
	f.cudaFlag()
	asJSON := f.Bool("json", false, "write the report as JSON")
	if _, code, done := f.parse(args, false); done {
		return code
	}
	problems := 0
	report, err := setup.Examine(ctx, f.options, func(c setup.Check) {
		if !c.OK {
			problems++
		}
		if !*asJSON {
			a.print(c)
		}
	})
	if err != nil {
		return a.failed(ctx, err)
	}
	if *asJSON {
		data, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return a.failed(ctx, err)
		}
		fmt.Fprintf(a.out, "%s\n", data)
	} else if problems > 0 {
		fmt.Fprintf(a.out, "\n%d problem(s).\n", problems)
	} else {
		fmt.Fprintln(a.out, "\nEverything works.")
	}
	if !report.OK {
		return fails
	}
	return ok
}

func (a *app) print(c setup.Check) {
	indent := func(text string) string { return strings.ReplaceAll(text, "\n", "\n    ") }
	if c.OK {
		line := "✓ " + c.Name
		if c.Detail != "" {
			line += ": " + c.Detail
		}
		fmt.Fprintln(a.out, indent(line))
		return
	}
	fmt.Fprintln(a.out, indent("✗ "+c.Name+": "+c.Problem))
	if c.Fix != "" {
		fmt.Fprintln(a.out, "    → "+c.Fix)
	}
}
