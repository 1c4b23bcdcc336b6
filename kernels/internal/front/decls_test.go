//go:build unix

package front

import (
	"fmt"
	"strings"
	"testing"

	"birnn/kernels/internal/wire"
)

// step is a cell and what it must lead to.
type step struct{ code, stdout, stderr, result, err string } // stderr and err: a part, "" for none

func (k *kernel) follow(steps ...step) {
	k.t.Helper()
	for _, s := range steps {
		o := k.run(s.code)
		if o.stdout != s.stdout || o.result["text/plain"] != s.result || (o.name == "") != (s.err == "") || !strings.Contains(o.name+": "+o.value+"\n"+o.traceback, s.err) ||
			(o.stderr == "") != (s.stderr == "") || !strings.Contains(o.stderr, s.stderr) {
			k.t.Errorf("%q: got %+v, want %+v", s.code, o, s)
		}
	}
}

// TestDeclarations checks that declarations can be changed and removed, and that none of them spoils later cells.
func TestDeclarations(t *testing.T) {
	t.Parallel()
	k := start(t)
	dog := "type Animal interface{ Noise() string }\ntype Dog struct{}\nfunc (Dog) Noise() string { return \"woof\" }\nvar _ Animal = Dog{}"
	k.follow(
		step{code: dog}, step{code: "%rm Dog", stdout: "removed Dog\n"}, step{code: "1+1", result: "2"},
		step{code: dog}, step{code: "%reset", stdout: "all declarations are dropped\n"}, step{code: "1+1", result: "2"},
		// A type whose methods are in another cell.
		step{code: "type Box struct{ W, H int }"},
		step{code: "func (b Box) Area() int { return b.W * b.H }\nfunc (b Box) Name() string { return \"box\" }"},
		step{code: "Box{2, 3}.Area()", result: "6"},
		step{code: "type Box struct{ Width, Height int }", stderr: "func Box.Area of cell 8 does not compile any more and is dropped"},
		step{code: "Box{2, 3}.Name()", result: `"box"`},
		step{code: "Box{2, 3}.Area()", err: "Box has no field or method Area"},
		step{code: "func (b Box) Area() int { return b.Width * b.Height }"},
		step{code: "Box{2, 3}.Area()", result: "6"},
		// What runs before main.
		step{code: "func register(n int) int { fmt.Println(n); return n }\nvar _ = register(7)", stdout: "7\n"},
		step{code: "1", stdout: "7\n", result: "1"},
		step{code: "func register(s string) string { return s }", stderr: "var _ of cell 15 does not compile any more and is dropped"},
		step{code: "2", result: "2"},
		step{code: "func init() { fmt.Println(\"a\") }\nfunc init() { fmt.Println(\"b\") }", stdout: "a\nb\n"},
		step{code: "3", stdout: "a\nb\n", result: "3"},
		step{code: "func init() { fmt.Println(\"c\") }", stdout: "c\n"},
		step{code: "%rm init", stdout: "removed init\n"},
		step{code: "func init() { panic(\"too early\") }", err: "too early"},
		step{code: "var _ = os.Args[100]", err: "index out of range"},
		step{code: "4", result: "4"},
		// Initialisers run only where their variables are used.
		step{code: "var va, verr = load()\nfunc load() (int, error) { fmt.Println(\"loading\"); return 1, nil }", stdout: "loading\n"},
		step{code: "var va, verr = load()\nfunc load() (int, error) { fmt.Println(\"loading\"); return 1, nil }", stdout: "loading\n"},
		step{code: "verr := 5\nverr", result: "5"},
		step{code: "type pair struct{ va, verr int }\npair{va: 1, verr: 2}.verr", result: "2"},
		step{code: "verr == nil", stdout: "loading\n", result: "true"},
		step{code: "func say(n int) int { fmt.Println(n); return n }"},
	)
	// A client that identifies cells has one edited.
	for n := range 3 {
		m := wire.New(k.Session, "execute_request", nil, map[string]any{"code": fmt.Sprintf("var _ = say(%d)", n), "store_history": true})
		m.Metadata = []byte(`{"cellId": "a"}`)
		if err := k.Forward(m); err != nil {
			t.Fatal(err)
		}
	}
	k.follow(step{code: "6", stdout: "2\n", result: "6"})
}

// TestValidGo checks that valid Go runs, and that its strings are unchanged.
func TestValidGo(t *testing.T) {
	t.Parallel()
	k := start(t)
	raw := "`a\n%b` + `c\n!d\npackage e` + `\n%%\n`"
	k.follow(
		step{code: "for i := 0; ; i++ {\n\tif i > 2 {\n\t\tbreak\n\t}\n\tfmt.Print(i)\n}\nfor ;; { break }", stdout: "012"},
		step{code: "a := 1\n// b is more.\nvar b = a + 1\nvar (\n\tc = b + 1\n\td = 4\n)\nc", result: "3"},
		step{code: "d", result: "4"},
		step{code: "s := " + raw + "\ns", result: `"a\n%bc\n!d\npackage e\n%%\n"`},
		step{code: "var raw = " + raw}, step{code: "raw", result: `"a\n%bc\n!d\npackage e\n%%\n"`},
		step{code: "type tagged struct {\n\tA int `a\n%b`\n}\nreflect.TypeOf(tagged{}).Field(0).Tag", result: `"a\n%b"`},
		step{code: "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"main\") }\nmain()", stdout: "main\n"},
		step{code: "main()", err: "func main is not kept"},
		step{code: "%%\n1+1", result: "2"},
		step{code: "[]byte{65, 66, 200}", result: "[65 66 200]"},
		step{code: "const (\n\tA, _ = iota, 10 * iota\n\t_, _\n\tB, C\n)\nfmt.Println(A, B, C)", stdout: "0 2 20\n"},
		step{code: "const (\n\t_ = 1 << iota\n\tD\n\t_\n\tE\n)\nconst _ = 3\nfmt.Println(D, E)", stdout: "2 8\n"},
		step{code: "type box[T any] struct{ v T }\nfunc (b box[T]) Get() T { return b.v }\ntype two[T any] struct{ v, w T }\nfunc (t two[T]) Get() T { return t.w }"},
		step{code: "fmt.Println(box[int]{1}.Get(), two[int]{2, 3}.Get())", stdout: "1 3\n"},
		step{code: "//go:embed a.txt\nvar text string", err: "//go:embed does not work in a cell"},
		step{code: "// #include <math.h>\nimport \"C\"\nC.sqrt(2)", err: "import \"C\" does not work in a cell"},
	)
}
