package main

import (
	"context"
	"slices"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/charlm"
	"birnn/birnnlib/examples/text"
	"birnn/birnnlib/examples/training"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
)

// characters is how much of the lyrics lesson 1 trains on.
const characters = 10_000

// seeds is how many seeds each comparison has, from 1.
const seeds = 3

// plan1 lists the experiments of lesson 1: the post's settings at one to three layers; its program's reading at other
// seeds; and one to three layers of tanh, with equally many units and with about equally many parameters.
func plan1() (plan []settings, err error) {
	vocabulary, err := text.NewVocabulary(text.Corpus(characters))
	if err != nil {
		return nil, err
	}
	post := charlm.Post()
	base := settings{Activation: post.Activation, Initial: "N(0, 0.01²)", LearningRate: post.LearningRate, Clip: post.Clip, Seed: post.Seed}
	for layers := 1; layers <= 3; layers++ {
		s := base
		s.Name, s.Hidden, s.Epochs = "post", repeat(layers, post.Hidden[0].Forward), 160
		plan = append(plan, s)
	}
	for seed := range uint64(seeds) {
		s := base
		s.Name, s.Hidden, s.AsPosted, s.Epochs, s.Seed = "as posted", training.FormatSizes(post.Hidden), true, 20, seed+1
		plan = append(plan, s)
	}
	const units = 64
	q := vocabulary.Size()
	for _, name := range []string{"equal units", "equal parameters"} {
		for layers := 1; layers <= 3; layers++ {
			h := units
			for name == "equal parameters" && count(q, layers, h, q) > count(q, 1, units, q) {
				h--
			}
			for seed := range uint64(seeds) {
				if name == "equal parameters" && layers == 1 {
					continue // one layer has them by definition
				}
				s := base
				s.Name, s.Hidden, s.Activation, s.LearningRate, s.Clip, s.Epochs, s.Seed = name, repeat(layers, h), "tanh", 4, 0.5, 40, seed+1
				plan = append(plan, s)
			}
		}
	}
	return plan, nil
}

// repeat writes the sizes of so many layers with h units in each direction.
func repeat(layers, h int) string {
	return training.FormatSizes(slices.Repeat([]birnnlib.Sizes{{Forward: h, Backward: h}}, layers))
}

// count returns the number of parameters of so many layers with h units in each direction, d inputs and q outputs.
func count(d, layers, h, q int) (parameters int) {
	for range layers {
		parameters += 2 * h * (d + h + 1)
		d = 2 * h
	}
	return parameters + (d+1)*q
}

// make1 trains a language model.
func make1(ctx context.Context, b compute.Backend, s settings) (r result, err error) {
	config := charlm.Post()
	if config.Hidden, err = training.ParseSizes(s.Hidden); err != nil {
		return r, err
	}
	config.Activation, config.AsPosted, config.LearningRate, config.Clip, config.Seed = s.Activation, s.AsPosted, s.LearningRate, s.Clip, s.Seed
	m, err := charlm.New(b, text.Corpus(characters), config)
	if err != nil {
		return r, err
	}
	err = m.Train(ctx, s.Epochs, charlm.Callbacks{Epoch: func(e charlm.Epoch) error {
		if e.Number == 1 {
			r.First = short(e.Perplexity)
		}
		if e.Number%10 == 0 {
			r.Perplexity = append(r.Perplexity, short(e.Perplexity))
		}
		return nil
	}})
	r.Parameters = trainable(m.Store())
	return r, err
}

// trainable counts the parameters in a store, but for those of the names.
func trainable(store *model.Store, without ...string) (parameters int) {
	for v := range store.IterVariables() {
		if v.Trainable && !slices.Contains(without, v.Name()) {
			parameters += v.Shape().Size()
		}
	}
	return parameters
}
