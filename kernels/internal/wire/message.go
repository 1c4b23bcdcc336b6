// Package wire implements the Jupyter messaging protocol 5.4 on the wire: signed messages in frames, connection files,
// the sockets of a kernel, and a client of kernels.
//
// https://jupyter-client.readthedocs.io/en/stable/messaging.html
package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is the version of the protocol.
const Version = "5.4"

// Header is the header of a message.
type Header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"` // ISO 8601
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
}

// Message is a message of the protocol.
type Message struct {
	Identities [][]byte // of the sender or receiver
	Header     Header
	Parent     json.RawMessage // the original header of the message that it answers
	Metadata   json.RawMessage
	Content    json.RawMessage
	Buffers    [][]byte

	header json.RawMessage // as received: an answer repeats every field, even unknown ones
}

// errSignature is the error for a message with a wrong signature.
var errSignature = errors.New("wrong signature")

var delimiter = []byte("<IDS|MSG>")

var empty = json.RawMessage("{}")

// NewID returns a unique identifier for a message or session.
func NewID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// New returns a message of a session that answers parent, which may be nil. The content must be encodable as JSON.
func New(session, kind string, parent *Message, content any) *Message {
	m := &Message{
		Header: Header{ID: NewID(), Session: session, Username: "kernel", Date: time.Now().UTC().Format(time.RFC3339Nano), Type: kind, Version: Version},
		Parent: empty, Metadata: empty,
	}
	if parent != nil {
		m.Identities, m.Parent = parent.Identities, parent.rawHeader()
	}
	m.setContent(content)
	return m
}

// setContent replaces the content.
func (m *Message) setContent(content any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(content); err != nil {
		panic(fmt.Sprintf("wire: content of %s: %v", m.Header.Type, err)) // content comes from our code
	}
	m.Content = bytes.TrimRight(b.Bytes(), "\n")
}

// Read decodes the content into v.
func (m *Message) Read(v any) error {
	if err := json.Unmarshal(m.Content, v); err != nil {
		return fmt.Errorf("content of %s: %w", m.Header.Type, err)
	}
	return nil
}

// rawHeader returns the header for use as the parent header of an answer.
func (m *Message) rawHeader() json.RawMessage {
	if m.header == nil {
		m.header, _ = json.Marshal(m.Header) // strings only
	}
	return m.header
}

// parentID returns the identifier of the message that m answers, if any.
func (m *Message) parentID() string {
	var parent Header
	json.Unmarshal(m.Parent, &parent)
	return parent.ID
}

// encode returns the frames of the message, signed unless key is empty.
func (m *Message) encode(key []byte) [][]byte {
	parts := [][]byte{m.rawHeader(), orEmpty(m.Parent), orEmpty(m.Metadata), orEmpty(m.Content)}
	frames := append([][]byte{}, m.Identities...)
	frames = append(frames, delimiter, sign(key, parts))
	return append(append(frames, parts...), m.Buffers...)
}

// decode decodes a message from frames and checks its signature.
func decode(frames [][]byte, key []byte) (*Message, error) {
	at := 0
	for at < len(frames) && !bytes.Equal(frames[at], delimiter) {
		at++
	}
	if len(frames) < at+6 {
		return nil, fmt.Errorf("not a Jupyter message: %d frames, expected %s, a signature and four parts", len(frames), delimiter)
	}
	signature, parts := frames[at+1], frames[at+2:at+6]
	if !hmac.Equal(signature, sign(key, parts)) {
		return nil, errSignature
	}
	m := &Message{Identities: frames[:at], Parent: parts[1], Metadata: parts[2], Content: parts[3], Buffers: frames[at+6:], header: parts[0]}
	if err := json.Unmarshal(parts[0], &m.Header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if m.Header.Type == "" {
		return nil, errors.New("header has no msg_type")
	}
	for i, name := range []string{"parent header", "metadata", "content"} {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(parts[i+1], &object); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", name, m.Header.Type, err)
		}
	}
	return m, nil
}

func orEmpty(part json.RawMessage) []byte {
	if len(part) == 0 {
		return empty
	}
	return part
}

// sign returns the HMAC-SHA256 of the parts in hexadecimal digits.
func sign(key []byte, parts [][]byte) []byte {
	if len(key) == 0 {
		return nil
	}
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return []byte(hex.EncodeToString(mac.Sum(nil)))
}
