package torch

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"birnn/internal/atomicfile"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// A .safetensors file is the length of the header in 8 bytes, the header, and the values of all tensors without a gap,
// little-endian and row by row. The header is a JSON object with the dtype, the shape, and the first and last byte of
// each tensor: https://huggingface.co/docs/safetensors#format
//
// The module github.com/nlpodyssey/safetensors reads the format, too, and passed fuzzing without a panic. But it
// silently takes the last of two tensors with the same name, and its errors do not name the tensor; to add both, a
// wrapper would be as long as this reader.

// maxHeader is the longest header that the reference implementation reads.
const maxHeader = 100_000_000

// formatDTypes are the dtypes by their names in a file. Some are not used by recurrent networks, but the file of a
// whole model may contain them, for example a counter of batches.
var formatDTypes = map[string]dtypes.DType{
	"BOOL": dtypes.Bool,
	"U8":   dtypes.Uint8, "U16": dtypes.Uint16, "U32": dtypes.Uint32, "U64": dtypes.Uint64,
	"I8": dtypes.Int8, "I16": dtypes.Int16, "I32": dtypes.Int32, "I64": dtypes.Int64,
	"F16": dtypes.Float16, "BF16": dtypes.BFloat16, "F32": dtypes.Float32, "F64": dtypes.Float64,
}

// Load reads the tensors of a .safetensors file, by their names. A tensor that the file holds under one name only, since it
// is shared (tied weights, as safetensors.torch.save_model writes them), is returned under all its names. Tensors of
// dtypes that GoMLX does not have, such as those of 8-bit floats, are left out.
//
// If the file is malformed, the error names the tensor, what it has and what was expected.
func Load(path string) (map[string]*tensors.Tensor, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("torch: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("torch: %w", err)
	}
	weights, err := read(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("torch: %s cannot be read: %w", path, err)
	}
	return weights, nil
}

// entry is a tensor in the header.
type entry struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`

	name  string
	shape shapes.Shape
}

// read reads a file of that many bytes.
func read(r io.ReaderAt, size int64) (map[string]*tensors.Tensor, error) {
	if size < 8 {
		return nil, fmt.Errorf("it has %d bytes; a .safetensors file begins with 8 bytes with the length of its header", size)
	}
	at := func(buffer []byte, offset int64) error {
		_, err := io.ReadFull(io.NewSectionReader(r, offset, int64(len(buffer))), buffer)
		return err
	}
	first := make([]byte, 8)
	if err := at(first, 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(first)
	if length > maxHeader || length > uint64(size-8) {
		return nil, fmt.Errorf("its header should have %d bytes, but %d follow, and at most %d are allowed; it is truncated or not a .safetensors file", length, size-8, maxHeader)
	}
	header := make([]byte, length)
	if err := at(header, 8); err != nil {
		return nil, err
	}
	entries, shared, err := parse(header)
	if err != nil {
		return nil, err
	}

	// The tensors must fill all that follows, one after the other.
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Offsets[0], b.Offsets[0]), cmp.Compare(a.Offsets[1], b.Offsets[1]), strings.Compare(a.name, b.name))
	})
	values, end, before := uint64(size-8)-length, uint64(0), "the header"
	for _, e := range entries {
		if e.Offsets[0] != end {
			return nil, fmt.Errorf("tensor %q has data_offsets %v; it must begin at %d, where %s ends: tensors can neither overlap nor leave a gap", e.name, e.Offsets, end, before)
		}
		if e.Offsets[1] > values {
			return nil, fmt.Errorf("tensor %q has data_offsets %v, but the file ends after %d bytes of values; it is truncated", e.name, e.Offsets, values)
		}
		end, before = e.Offsets[1], strconv.Quote(e.name)
	}
	if end != values {
		return nil, fmt.Errorf("the file has %d bytes of values, but %s ends at %d; the rest belongs to no tensor", values, before, end)
	}

	weights := make(map[string]*tensors.Tensor, len(entries))
	for _, e := range entries {
		if !e.shape.Ok() {
			continue // of a dtype that is left out
		}
		t := tensors.FromShape(e.shape)
		if e.shape.Size() > 0 {
			var failed error
			err := t.MutableBytes(func(data []byte) {
				failed = at(data, 8+int64(length+e.Offsets[0]))
				if i := bytes.IndexFunc(data, func(r rune) bool { return r > 1 }); failed == nil && e.shape.DType == dtypes.Bool && i >= 0 {
					failed = fmt.Errorf("value %d is %d; a BOOL is 0 or 1", i, data[i])
				}
			})
			if err := errors.Join(err, failed); err != nil {
				return nil, fmt.Errorf("tensor %q: %w", e.name, err)
			}
		}
		weights[e.name] = t
	}
	for name, as := range shared {
		if t := weights[as]; t != nil && weights[name] == nil {
			weights[name] = t
		}
	}
	return weights, nil
}

// parse reads the header and checks each entry on its own. The metadata may name shared tensors: the name that was dropped,
// and the one under which the tensor is in the file.
func parse(header []byte) (entries []entry, metadata map[string]string, err error) {
	metadata = map[string]string{}
	if !utf8.Valid(header) {
		return nil, nil, errors.New("its header is not UTF-8; it is not a .safetensors file")
	}
	if err := json.Unmarshal(header, &json.RawMessage{}); err != nil {
		return nil, nil, fmt.Errorf("its header is not JSON: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(header))
	dec.UseNumber()
	err = members(dec, "the header", func(name string) error {
		if name == "__metadata__" {
			return members(dec, name, func(key string) error {
				t, err := dec.Token()
				if err != nil || !isString(t) {
					return fmt.Errorf("__metadata__ has %v for %q; it must be a string", t, key)
				}
				metadata[key] = t.(string)
				return nil
			})
		}
		e := entry{name: name}
		if err := e.parse(dec); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		entries = append(entries, e)
		return nil
	})
	return entries, metadata, err
}

// otherDTypes are the dtypes of the format that GoMLX does not have.
var otherDTypes = []string{"F4", "F6_E2M3", "F6_E3M2", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"}

func (e *entry) parse(dec *json.Decoder) error {
	var dims []uint64
	var given []string
	err := members(dec, "its entry", func(key string) (err error) {
		given = append(given, key)
		switch key {
		case "dtype":
			t, err := dec.Token()
			if err != nil || !isString(t) {
				return fmt.Errorf("its dtype is %v; it must be a string", t)
			}
			e.DType = t.(string)
			return nil
		case "shape":
			dims, err = numbers(dec, key)
			return err
		case "data_offsets":
			offsets, err := numbers(dec, key)
			if err == nil && len(offsets) != 2 {
				err = fmt.Errorf("its data_offsets are %v; they must be [begin, end]", offsets)
			}
			if err == nil {
				e.Offsets = [2]uint64(offsets)
			}
			return err
		}
		return fmt.Errorf("its entry has %q; it must have dtype, shape and data_offsets, and nothing else", key)
	})
	if err != nil {
		return err
	}
	if len(given) != 3 { // members takes no name twice
		return fmt.Errorf("its entry has %q; it must have dtype, shape and data_offsets", given)
	}
	dtype, ok := formatDTypes[e.DType]
	if slices.Contains(otherDTypes, e.DType) && e.Offsets[0] <= e.Offsets[1] {
		return nil // its shape stays invalid
	}
	if !ok {
		return fmt.Errorf("its dtype is %q; only %s can be read", e.DType, strings.Join(slices.Sorted(maps.Keys(formatDTypes)), ", "))
	}
	size := uint64(dtype.Size())
	for _, dim := range dims {
		over, product := bits.Mul64(size, dim)
		if over != 0 || product > math.MaxInt || dim > math.MaxInt {
			return fmt.Errorf("its shape is %v: so many values do not fit into memory", dims)
		}
		size = product
		e.Shape = append(e.Shape, int(dim))
	}
	if begin, end := e.Offsets[0], e.Offsets[1]; end < begin || end-begin != size {
		return fmt.Errorf("its data_offsets are %v; a %s of shape %v has %d bytes", e.Offsets, e.DType, dims, size)
	}
	e.shape = shapes.Make(dtype, e.Shape...)
	return nil
}

// members reads a JSON object, and calls member to read the value of each of its names, which must be unique.
func members(dec *json.Decoder, what string, member func(name string) error) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%s must be a JSON object, and begins with %v", what, t)
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		name := t.(string)
		if seen[name] {
			return fmt.Errorf("%s has the name %q twice", what, name)
		}
		seen[name] = true
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// numbers reads a JSON array of integers from 0 on.
func numbers(dec *json.Decoder, what string) (values []uint64, err error) {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("its %s must be a list, and begins with %v", what, t)
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		number, _ := t.(json.Number)
		value, err := strconv.ParseUint(number.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("its %s has %v; it must be a list of integers from 0 on", what, t)
		}
		values = append(values, value)
	}
	_, err = dec.Token()
	return values, err
}

func isString(t json.Token) bool {
	_, ok := t.(string)
	return ok
}

// Save writes the tensors to a .safetensors file. Their dtypes may be Float32, Float64, BFloat16, Float16, integers or
// Bool. Save is atomic: it writes a temporary file in the same directory and renames it to path.
func Save(path string, weights map[string]*tensors.Tensor) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("torch: %s cannot be written: %w", path, err)
		}
	}()
	header, names, err := headerOf(weights)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, 0o644, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, name := range names {
			var failed error
			err := weights[name].ConstBytes(func(data []byte) { _, failed = w.Write(data) })
			if err := errors.Join(err, failed); err != nil {
				return fmt.Errorf("tensor %q: %w", name, err)
			}
		}
		return nil
	})
}

// headerOf returns the header, including its length, and the names of the tensors that have values, in their order.
func headerOf(weights map[string]*tensors.Tensor) (header []byte, names []string, err error) {
	formatNames := map[dtypes.DType]string{}
	for name, dtype := range formatDTypes {
		formatNames[dtype] = name
	}
	names = slices.Sorted(maps.Keys(weights))
	for _, name := range names {
		t := weights[name]
		switch {
		case name == "__metadata__" || !utf8.ValidString(name):
			return nil, nil, fmt.Errorf("the name %q is reserved; rename the tensor", name)
		case t == nil || !t.Ok():
			return nil, nil, fmt.Errorf("tensor %q is nil or finalized", name)
		case formatNames[t.DType()] == "":
			return nil, nil, fmt.Errorf("tensor %q is %s; the format has no such dtype", name, t.Shape())
		}
	}
	// The widest dtypes come first, so that all are aligned, as in the reference implementation.
	slices.SortStableFunc(names, func(a, b string) int { return weights[b].DType().Size() - weights[a].DType().Size() })
	// Some programs, such as Hugging Face's Transformers, accept only files marked as PyTorch's.
	entries := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	end := uint64(0)
	for _, name := range names {
		t := weights[name]
		begin := end
		end += uint64(t.Shape().ByteSize())
		entries[name] = entry{DType: formatNames[t.DType()], Shape: append([]int{}, t.Shape().Dimensions...), Offsets: [2]uint64{begin, end}}
	}
	blob, err := json.Marshal(entries)
	if err != nil {
		return nil, nil, err
	}
	for len(blob)%8 != 0 {
		blob = append(blob, ' ')
	}
	if len(blob) > maxHeader {
		return nil, nil, fmt.Errorf("the header for %d tensors has %d bytes; the format allows %d", len(names), len(blob), maxHeader)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return weights[name].Size() == 0 })
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(blob))), blob...), names, nil
}
