package plugin

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// fakePlugin returns a shared library that [Check] accepts as a plugin: an ELF file with one segment, one exported
// symbol and the content filler.
func fakePlugin(t *testing.T, symbol, filler string) []byte {
	t.Helper()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	machine, known := machines[runtime.GOARCH]
	if runtime.GOOS != "linux" || !known {
		t.Skipf("the made-up plugin is an ELF file for linux on amd64 and arm64, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	const headerSize, segmentSize, sectionSize, symbolSize = 64, 56, 64, 24
	names := "\x00.dynsym\x00.dynstr\x00.shstrtab\x00"
	dynstr := "\x00" + symbol + "\x00"
	var body bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&body, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	symbols := uint64(headerSize + segmentSize)
	strings := symbols + 2*symbolSize
	shstr := strings + uint64(len(dynstr))
	fill := shstr + uint64(len(names))
	sections := fill + uint64(len(filler))

	put(elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1,
		Phoff: headerSize, Shoff: sections, Ehsize: headerSize,
		Phentsize: segmentSize, Phnum: 1, Shentsize: sectionSize, Shnum: 4, Shstrndx: 3,
	})
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: sections, Memsz: sections})
	put(elf.Sym64{})
	put(elf.Sym64{Name: 1, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: 1, Value: symbols})
	body.WriteString(dynstr + names + filler)
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Type: uint32(elf.SHT_DYNSYM), Off: symbols, Size: 2 * symbolSize, Link: 2, Info: 1, Entsize: symbolSize})
	put(elf.Section64{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: strings, Size: uint64(len(dynstr))})
	put(elf.Section64{Name: 17, Type: uint32(elf.SHT_STRTAB), Off: shstr, Size: uint64(len(names))})
	return body.Bytes()
}

func write(t *testing.T, data []byte, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// listing returns every path below root, so that tests can compare before and
// after.
func listing(t *testing.T, root string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func zipFile(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
