package main

import (
	"context"
	"fmt"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/infill"
	"birnn/birnnlib/examples/segment"
	"birnn/birnnlib/examples/tag"
	"birnn/birnnlib/examples/text"
	"birnn/birnnlib/examples/training"

	"github.com/gomlx/compute"
)

// directions8 returns the sizes of the three networks of lesson 8, which have the same number of units.
func directions8(units int) []birnnlib.Sizes {
	return []birnnlib.Sizes{{Forward: units}, {Backward: units}, {Forward: units / 2, Backward: units / 2}}
}

// plan8 lists the experiments of lesson 8: networks that fill in, and networks that segment.
func plan8() (plan []settings, err error) {
	add := func(name string, config tag.Config, epochs, seeds int) {
		for _, s := range directions8(config.Hidden[0].Forward) {
			for seed := range seeds {
				plan = append(plan, settings{Name: name, Hidden: training.FormatSizes([]birnnlib.Sizes{s}), Activation: "LSTM", Initial: "Glorot",
					Dropout: config.Dropout, LearningRate: config.LearningRate, Clip: config.Clip, Epochs: epochs, Seed: uint64(seed) + 1})
			}
		}
	}
	fill, cut := infill.Lesson(), segment.Lesson()
	add("filling in", fill.Config, fill.Epochs, 5)
	add("segmentation", cut.Config, 3, seeds)
	return plan, nil
}

// peoplesDaily returns the lines that the networks learn to segment.
var peoplesDaily = func(ctx context.Context) ([]segment.Line, error) {
	path, err := segment.FetchPeoplesDaily(ctx, "", segment.FetchOptions{})
	if err != nil {
		return nil, err
	}
	return segment.Read(path)
}

// make8 trains a network, and tests it on lines that it has not seen.
func make8(ctx context.Context, b compute.Backend, s settings) (r result, err error) {
	hidden, err := training.ParseSizes(s.Hidden)
	if err != nil {
		return r, err
	}
	switch s.Name {
	case "filling in":
		config := infill.Lesson()
		config.Hidden, config.Seed, config.Epochs = hidden, s.Seed, s.Epochs
		train, test := infill.Split(infill.Lines(text.Corpus(0)))
		m, err := infill.New(b, train, config)
		if err != nil {
			return r, err
		}
		if err := m.Train(ctx, train, tag.Callbacks{}); err != nil {
			return r, err
		}
		right, of, err := m.Test(ctx, test)
		r.Accuracy, r.Parameters = short(float64(right)/float64(of)), trainable(m.Tagger().Store())
		return r, err
	case "segmentation":
		lines, err := peoplesDaily(ctx)
		if err != nil {
			return r, err
		}
		train, test := segment.Split(lines)
		train, development := segment.Split(train)
		config := segment.Lesson()
		config.Hidden, config.Seed, config.Epochs = hidden, s.Seed, s.Epochs
		m, err := segment.New(b, train, config)
		if err != nil {
			return r, err
		}
		if err := m.Train(ctx, train, tag.Callbacks{Epoch: func(tag.Epoch) error {
			score, err := m.Test(ctx, development)
			r.Development = append(r.Development, short(score.F1()))
			return err
		}}); err != nil {
			return r, err
		}
		alone, together, err := scores8(ctx, m, test)
		r.Alone, r.Together, r.Parameters = short(alone.F1()), short(together.F1()), trainable(m.Tagger().Store())
		return r, err
	}
	return r, fmt.Errorf("no experiment is called %q", s.Name)
}

// scores8 scores the words that a network finds in lines, where each character decides by itself, and all together.
func scores8(ctx context.Context, m *segment.Model, lines []segment.Line) (alone, together segment.Score, err error) {
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = line.Text()
	}
	scores, err := m.Scores(ctx, texts...)
	if err != nil {
		return alone, together, err
	}
	for i, s := range scores {
		characters := []rune(texts[i])
		if err := alone.Count(lines[i], segment.Words(characters, segment.Likeliest(s))); err != nil {
			return alone, together, err
		}
		if err := together.Count(lines[i], segment.Words(characters, segment.Decode(s))); err != nil {
			return alone, together, err
		}
	}
	return alone, together, nil
}
