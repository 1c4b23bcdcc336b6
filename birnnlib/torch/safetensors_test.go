package torch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// fileOf is a file with this header and that many bytes of values, which count up.
func fileOf(header string, values int) []byte {
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	for i := range values {
		file = append(file, byte(i))
	}
	return file
}

// oneOf returns a tensor of each dtype, with various shapes.
func oneOfEach() map[string]*tensors.Tensor {
	return map[string]*tensors.Tensor{
		"f32":            tensors.FromValue([][]float32{{1, -2.5}, {3e38, 1e-45}, {0, 7}}),
		"f64":            tensors.FromValue([]float64{1.0 / 3, -1e300}),
		"bf16":           tensors.FromValue([]bfloat16.BFloat16{bfloat16.FromFloat32(1.5), bfloat16.FromFloat32(-3e38)}),
		"f16":            tensors.FromValue([][]float16.Float16{{float16.FromFloat32(6e-8)}}),
		"bool":           tensors.FromValue([]bool{true, false, true}),
		"i64":            tensors.FromScalar(int64(-5)),
		"u8 <&> \"ü\"/.": tensors.FromValue([]uint8{255}),
		"i16":            tensors.FromValue([]int16{-1, 2}),
		"empty":          tensors.FromShape(shapes.Make(dtypes.Float32, 3, 0, 2)),
	}
}

func TestSaveLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.safetensors")
	want := oneOfEach()
	if err := Save(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)

	// By the format, the header is padded to a multiple of 8 bytes, so that all values are aligned.
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if length := binary.LittleEndian.Uint64(file); length%8 != 0 || file[8] != '{' {
		t.Errorf("the header has %d bytes, and begins with %q", length, file[8])
	}
	// No tensors.
	if err := Save(path, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(path); err != nil || len(got) != 0 {
		t.Errorf("of no tensors came %v, %v", got, err)
	}
}

func same(t *testing.T, got, want map[string]*tensors.Tensor) {
	t.Helper()
	if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
		t.Fatalf("the names are %q, want %q", g, w)
	}
	for name, w := range want {
		if !got[name].Shape().Equal(w.Shape()) {
			t.Errorf("%q is %s, want %s", name, got[name].Shape(), w.Shape())
		} else if w.Size() > 0 && !bytes.Equal(bytesOf(t, got[name]), bytesOf(t, w)) {
			t.Errorf("%q is %s, want %s", name, got[name].GoStr(), w.GoStr())
		}
	}
}

func bytesOf(t *testing.T, tensor *tensors.Tensor) (data []byte) {
	t.Helper()
	if err := tensor.ConstBytes(func(b []byte) { data = bytes.Clone(b) }); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSaveFails checks that a failed Save leaves only the previous file.
func TestSaveFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "weights.safetensors")
	before := map[string]*tensors.Tensor{"a": tensors.FromValue([]float32{1, 2})}
	if err := Save(path, before); err != nil {
		t.Fatal(err)
	}
	finalized := tensors.FromValue([]float32{1})
	finalized.FinalizeLocal()
	for name, test := range map[string]struct {
		name string
		t    *tensors.Tensor
		want string
	}{
		"nil":       {"b", nil, `"b" is nil`},
		"finalized": {"b", finalized, `"b" is nil or finalized`},
		"dtype":     {"b", tensors.FromValue([]complex64{1}), `"b" is (Complex64)[1]`},
		"metadata":  {"__metadata__", before["a"], "__metadata__"},
		"UTF-8":     {"\xff", before["a"], `"\xff"`},
	} {
		err := Save(path, map[string]*tensors.Tensor{"a": before["a"], test.name: test.t})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error is %v, want %s and the path in it", name, err, test.want)
		}
	}
	if err := Save(filepath.Join(dir, "no", "such", "folder"), before); err == nil {
		t.Error("no error where there is no folder")
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Save(filepath.Join(dir, "folder"), before); err == nil { // fails at the rename, the last step
		t.Error("no error where path is a folder")
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, before)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left in the folder: %v, %v; want the file and the folder", entries, err)
	}
}

// damaged are malformed files and the parts of their errors.
var damaged = []struct {
	name string
	file []byte
	want []string
}{
	{"empty", nil, []string{"0 bytes"}},
	{"7 bytes", []byte("\x02\x00\x00\x00\x00\x00\x00"), []string{"7 bytes"}},
	{"header cut off", fileOf(`{}`, 0)[:9], []string{"header", "2 bytes", "1 follow"}},
	{"header too long", append(binary.LittleEndian.AppendUint64(nil, 1<<63+5), "{}"...), []string{"9223372036854775813 bytes", "at most 100000000"}},
	{"header of all ones", bytes.Repeat([]byte{0xff}, 64), []string{"18446744073709551615 bytes", "56 follow"}},
	{"another format", append([]byte("PK\x03\x04"), make([]byte, 100)...), []string{"not a .safetensors file"}},
	{"no JSON", fileOf(`{"a":`, 0), []string{"not JSON"}},
	{"more than JSON", fileOf(`{} {}`, 0), []string{"not JSON"}},
	{"no UTF-8", fileOf("{\"\xff\":1}", 0), []string{"UTF-8"}},
	{"no object", fileOf(`[]`, 0), []string{"object"}},
	{"null", fileOf(`null`, 0), []string{"object"}},
	{"deep", fileOf(strings.Repeat(`{"a":`, 100000)+"1"+strings.Repeat("}", 100000), 0), []string{"JSON"}},
	{"entry is null", fileOf(`{"weight":null}`, 0), []string{`"weight"`, "object"}},
	{"two of one name", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"weight":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4), []string{`"weight" twice`}},
	{"two dtypes", fileOf(`{"weight":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, `"dtype" twice`}},
	{"unknown member", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"stride":[1]}}`, 4), []string{`"weight"`, `"stride"`}},
	{"DTYPE", fileOf(`{"weight":{"DTYPE":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, `"DTYPE"`}},
	{"no shape", fileOf(`{"weight":{"dtype":"F32","data_offsets":[0,4]}}`, 4), []string{`"weight"`, "shape"}},
	{"unknown dtype", fileOf(`{"weight":{"dtype":"F9_E4M3","shape":[1],"data_offsets":[0,1]}}`, 1), []string{`"weight"`, "F9_E4M3", "BF16"}},
	{"dtype is a number", fileOf(`{"weight":{"dtype":1,"shape":[1],"data_offsets":[0,1]}}`, 1), []string{`"weight"`, "dtype is 1"}},
	{"shape is a number", fileOf(`{"weight":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}`, 4), []string{`"weight"`, "shape", "list"}},
	{"negative", fileOf(`{"weight":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, "-1"}},
	{"fraction", fileOf(`{"weight":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, "1.0"}},
	{"null in the shape", fileOf(`{"weight":{"dtype":"F32","shape":[null],"data_offsets":[0,0]}}`, 0), []string{`"weight"`, "integers"}},
	{"text in the shape", fileOf(`{"weight":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, "integers"}},
	{"list in the shape", fileOf(`{"weight":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, "integers"}},
	{"three offsets", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}`, 4), []string{`"weight"`, "[0 4 4]", "[begin, end]"}},
	{"end before begin", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), []string{`"weight"`, "[4 0]", "4 bytes"}},
	{"shape and offsets differ", fileOf(`{"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}}`, 20), []string{`"weight"`, "[0 20]", "[2 3]", "24 bytes"}},
	{"overflow to 0", fileOf(`{"weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), []string{`"weight"`, "[4294967296 4294967296]", "do not fit into memory"}},
	{"overflow to 4", fileOf(`{"weight":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, "do not fit into memory"}},
	{"0 times overflow", fileOf(`{"weight":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}`, 0), []string{`"weight"`, "do not fit into memory"}},
	{"beyond 64 bits", fileOf(`{"weight":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, "18446744073709551616"}},
	{"huge, cut off", fileOf(`{"weight":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}`, 4), []string{`"weight"`, "[0 4000000000000]", "4 bytes", "truncated"}},
	{"truncated", fileOf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"weight":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 11), []string{`"weight"`, "[4 12]", "11 bytes"}},
	{"too long", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 5), []string{`"weight" ends at 4`, "5 bytes"}},
	{"values of nothing", fileOf(`{}`, 1), []string{"1 bytes", "no tensor"}},
	{"overlap", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[2,6]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 6), []string{`"weight"`, "[2 6]", "4", `"a"`}},
	{"the same values", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), []string{`"weight"`, "[0 4]", `"a"`}},
	{"gap", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 12), []string{`"weight"`, "[8 12]", `"a"`, "gap"}},
	{"gap at the beginning", fileOf(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), []string{`"weight"`, "[4 8]", "the header"}},
	{"BOOL", fileOf(`{"weight":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}`, 3), []string{`"weight"`, "value 2 is 2"}},
	{"BOOL, beyond ASCII", append(fileOf(`{"weight":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}`, 1), 0xff), []string{`"weight"`, "value 1 is 255"}},
	{"metadata", fileOf(`{"__metadata__":{"format":1}}`, 0), []string{"__metadata__", "format", "string"}},
}

func TestLoadDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "damaged.safetensors")
	for _, test := range damaged {
		if err := os.WriteFile(path, test.file, 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path)
		if err == nil {
			t.Errorf("%s: no error, but %v", test.name, got)
			continue
		}
		for _, want := range append(test.want, path) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q: %v", test.name, want, err)
			}
		}
		if got != nil {
			t.Errorf("%s: with the error came %v", test.name, got)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("no error of a folder")
	}
}

// TestLoadCutOff truncates a file at every byte.
func TestLoadCutOff(t *testing.T) {
	file, err := os.ReadFile("testdata/torch_gru_no_bias_float16.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(bytes.NewReader(file), int64(len(file))); err != nil {
		t.Fatal(err)
	}
	for size := range len(file) {
		if _, err := read(bytes.NewReader(file[:size]), int64(size)); err == nil {
			t.Errorf("no error with %d bytes of %d", size, len(file))
		}
	}
	// A file that shrinks while it is read.
	if _, err := read(bytes.NewReader(file[:len(file)-1]), int64(len(file))); err == nil {
		t.Error("no error of a file that shrinks")
	}
}

// FuzzLoad checks that no input makes the reader panic, and that tensors that were read stay the same when saved and
// loaded.
func FuzzLoad(f *testing.F) {
	for _, test := range damaged {
		if len(test.file) < 1<<12 {
			f.Add(test.file)
		}
	}
	f.Add(fileOf(`{"__metadata__":{"format":"pt"},"b":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}}`, 1))
	f.Add(fileOf(` {"a":{"shape":[2,1],"data_offsets":[0,4],"dtype":"BF16"},"none":{"dtype":"F64","shape":[0,9],"data_offsets":[4,4]}} `, 4))
	fixtures, err := filepath.Glob("testdata/*.safetensors")
	if err != nil || len(fixtures) == 0 {
		f.Fatal("no fixtures", err)
	}
	for _, path := range fixtures {
		file, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	path := filepath.Join(f.TempDir(), "fuzz.safetensors")
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := read(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		size := 0
		for _, tensor := range got {
			size += int(tensor.Shape().ByteSize())
		}
		if size > len(file) {
			t.Fatalf("%d bytes of tensors from a file of %d", size, len(file))
		}
		if err := Save(path, got); err != nil {
			t.Fatal(err)
		}
		again, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		same(t, again, got)
	})
}

// TestShared: a tensor that save_model stored under one name of two, and one of a dtype that GoMLX does not have.
func TestShared(t *testing.T) {
	file := fileOf(`{"__metadata__":{"format":"pt","rnn.weight_hh_l0_reverse":"rnn.weight_hh_l0","kept":"absent"},`+
		`"rnn.weight_hh_l0":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},`+
		`"scale":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[2,5]},`+
		`"bias":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}}`, 6)
	weights, err := read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	same(t, weights, map[string]*tensors.Tensor{
		"rnn.weight_hh_l0": tensors.FromValue([]uint8{0, 1}), "rnn.weight_hh_l0_reverse": tensors.FromValue([]uint8{0, 1}),
		"bias": tensors.FromValue([]uint8{5}),
	})
}
