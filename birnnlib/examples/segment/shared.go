package segment

import (
	"context"

	"birnn/birnnlib/examples/tag"
)

// Shared cuts text into words for any number of goroutines, in common mini-batches of a [tag.Batcher].
type Shared struct {
	model   *Model
	batcher *tag.Batcher
}

// Share compiles the graphs of a [tag.Batcher]. Until [Shared.Close] returns, the model must not be used otherwise.
func (m *Model) Share(ctx context.Context) (*Shared, error) {
	batcher, err := tag.NewBatcher(ctx, m.tagger)
	if err != nil {
		return nil, err
	}
	return &Shared{&Model{m.tagger, m.vocabulary, batcher}, batcher}, nil
}

// Segment is [Model.Segment] for any number of goroutines.
func (s *Shared) Segment(ctx context.Context, texts ...string) ([][]string, error) {
	return s.model.Segment(ctx, texts...)
}

// Separate is [Model.Separate] for any number of goroutines.
func (s *Shared) Separate(ctx context.Context, separator string, texts ...string) ([]string, error) {
	return s.model.Separate(ctx, separator, texts...)
}

// Close ends the sharing after the running mini-batch. Calls that still wait return [tag.ErrClosed].
func (s *Shared) Close() { s.batcher.Close() }
