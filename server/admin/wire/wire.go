// Package wire carries a command of vmq-admin to the broker and its answer
// back, over a connection that somebody else guards.
//
// The request is one line of JSON, {"args":[...]}. The answer is a line for each
// piece, {"k":KIND,...}, the last of which has the exit code: an answer without
// it was cut off. The client ends a command by closing its direction.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"vernemq/server/admin/output"
)

type request struct {
	Args []string `json:"args"`
}

// piece is a piece of an answer.
type piece struct {
	Kind  string            `json:"k"`
	Text  string            `json:"t,omitempty"`
	Names []string          `json:"n,omitempty"` // columns
	Cells []json.RawMessage `json:"c,omitempty"`
	Code  int               `json:"x,omitempty"`
}

// The kinds of pieces.
const (
	kindFormat  = "format"
	kindPlain   = "plain"
	kindText    = "text"
	kindAlert   = "alert"
	kindTable   = "table"
	kindRow     = "row"
	kindSeveral = "several"
	kindExit    = "exit"
)

var errCell = errors.New("cell that is no value")

// encodeCell writes a cell: what is not set is an empty object.
func encodeCell(b []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return output.AppendString(b, x)
	case bool:
		return strconv.AppendBool(b, x)
	case int64:
		return strconv.AppendInt(b, x, 10)
	}
	if v == output.Undefined {
		return append(b, "{}"...)
	}
	return output.AppendString(b, fmt.Sprint(v))
}

func decodeCell(raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, errCell
	}
	switch raw[0] {
	case 'n':
		return nil, nil
	case '{':
		return output.Undefined, nil
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case 't', 'f':
		return raw[0] == 't', nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return nil, errCell
	}
	return n, nil
}
