package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
)

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// writeBinary writes numbers in little-endian order.
func writeBinary[T float32 | int32](path string, numbers []T) error {
	bytes, err := binary.Append(nil, binary.LittleEndian, numbers)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes, 0o644)
}

// readFloats reads count numbers that writeBinary has written.
func readFloats(path string, count int) ([]float32, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(bytes) != 4*count {
		return nil, fmt.Errorf("%s has %d bytes; it should have %d numbers of 4", path, len(bytes), count)
	}
	numbers := make([]float32, count)
	_, err = binary.Decode(bytes, binary.LittleEndian, numbers)
	return numbers, err
}
