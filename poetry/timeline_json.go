package poetry

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteTimelineJSON writes {"reports": [...]}, each as [Report.MarshalJSON] has it, indented.
func WriteTimelineJSON(w io.Writer, reports ...*Report) error {
	if reports == nil {
		reports = []*Report{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string][]*Report{"reports": reports})
}

// ReadTimelineJSON reads what WriteTimelineJSON wrote, so that it can be drawn in another form.
func ReadTimelineJSON(r io.Reader) ([]*Report, error) {
	var in struct {
		Reports []*Report `json:"reports"`
	}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, fmt.Errorf("reading a timeline: %w", err)
	}
	return in.Reports, nil
}
