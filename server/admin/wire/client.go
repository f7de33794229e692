package wire

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"vernemq/server/admin/output"
)

// ErrCut tells that the node ended before its answer did.
var ErrCut = errors.New("the node ended in the middle of its answer")

var errShape = errors.New("cannot read the answer: a row does not fit its table")

// longestLine is the largest piece of an answer that is taken, in bytes.
const longestLine = 512 << 20

// Request is the request of a command line.
func Request(args []string) ([]byte, error) {
	b, err := json.Marshal(&request{args})
	if err != nil {
		return nil, fmt.Errorf("cannot write the request: %w", err)
	}
	return append(b, '\n'), nil
}

// Receive reads an answer and writes it in the form that open makes of the name
// of a format. It returns the exit code.
func Receive(from io.Reader, open func(format string) output.Format) (code int, err error) {
	var out output.Format
	columns := 0
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	for lines.Scan() {
		var p piece
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return 1, fmt.Errorf("cannot read the answer: %w", err)
		}
		if out == nil {
			format := output.Human // of a line that could not be read
			if p.Kind == kindFormat {
				format = p.Text
			}
			out = open(format)
		}
		if p.Kind == kindExit {
			return p.Code, out.Close()
		}
		switch {
		case p.Kind == kindTable:
			columns = len(p.Names)
		case p.Kind == kindRow && (len(p.Cells) != columns || columns == 0):
			return 1, errShape
		}
		if err := p.write(out); err != nil {
			return 1, err
		}
	}
	err = lines.Err()
	if err == nil {
		err = ErrCut
	}
	if out != nil {
		err = errors.Join(out.Close(), err)
	}
	return 1, err
}

func (p *piece) write(out output.Output) error {
	switch p.Kind {
	case kindPlain:
		return out.Plain(p.Text)
	case kindText:
		return out.Text(p.Text)
	case kindAlert:
		return out.Alert(p.Text)
	case kindTable:
		return out.Table(p.Names...)
	case kindSeveral:
		out.Several()
	case kindRow:
		cells := make([]any, len(p.Cells))
		for i, raw := range p.Cells {
			v, err := decodeCell(raw)
			if err != nil {
				return fmt.Errorf("cannot read the answer: %w", err)
			}
			cells[i] = v
		}
		return out.Row(cells...)
	}
	return nil
}
