package report

import (
	"io"

	"vernemq/bench"
)

func HTML(w io.Writer, r *bench.Result) error { return nil }
