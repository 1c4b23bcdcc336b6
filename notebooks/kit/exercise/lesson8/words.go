// Package lesson8 checks the exercises of lesson 8, on what bidirectional networks are good for.
package lesson8

import (
	"math"
	"math/rand/v2"
	"strings"

	"birnn/birnnlib/examples/segment"
	"birnn/notebooks/kit/exercise"
)

// Tags checks exercise 1: bmes returns the letters of the tags of words, a letter for each character.
func Tags(bmes func(words []string) string) error {
	return exercise.Try(func() error {
		for _, line := range []string{
			"双向 循环 神经 网络 看 得 到 未来 。", "一九九八年 的 新年 讲话 ， 我 没 听 过", "图书馆 里 有 GoMLX 的 书 —— １２ 本", "好",
		} {
			words, want := strings.Fields(line), ""
			for _, t := range segment.TagsOf(words) {
				want += t.String()
			}
			got, text := bmes(words), strings.Join(words, "")
			switch {
			case got == want:
			case len(got) == len(text) && len(got) != len(want):
				return exercise.Faultf("there is a letter for each byte: count characters, with []rune(word)",
					"每个字节一个字母：要数字符，用[]rune(word)")
			case len(got) != len(want):
				return exercise.Faultf("%d letters for %d characters: %s", "%d个字母，%d个字符：%s", len(got), len(want), line)
			default:
				return exercise.Faultf("%s for %s; it should be %s", "%s对应%s，应当是%s", got, line, want)
			}
		}
		return nil
	})
}

// F1 checks exercise 2: f1 returns the F1 of the words that were found, where a word is right if both of its ends are.
func F1(f1 func(words, found []string) float64) error {
	return exercise.Try(func() error {
		for _, pair := range [][2]string{
			{"他 马上 下来", "他 马上 下来"}, {"他 从 马 上 下来", "他 从 马上 下来"}, {"人 人人", "人人 人"},
			{"中国 人民 银行", "中国人民 银 行"}, {"中国 人民 银行", "中 国 人民 银 行"},
		} {
			words, found := strings.Fields(pair[0]), strings.Fields(pair[1])
			var score segment.Score
			if err := score.Count(words, found); err != nil {
				return err
			}
			P, R, want := score.Precision(), score.Recall(), score.F1()
			got := f1(words, found)
			is := func(x float64) bool { return math.Abs(got-x) < 1e-9 }
			switch {
			case is(want):
			case math.IsNaN(got):
				return exercise.Faultf("%q: NaN: if no word is right, F1 is 0", "%q：NaN：一个词也不对的时候，F1是0", pair)
			case is(P):
				return exercise.Faultf("%q: that is the precision", "%q：这是精确率", pair)
			case is(R):
				return exercise.Faultf("%q: that is the recall", "%q：这是召回率", pair)
			case is((P + R) / 2):
				return exercise.Faultf("%q: that is the mean of precision and recall; F1 is their harmonic mean",
					"%q：这是精确率和召回率的平均；F1是它们的调和平均", pair)
			default:
				return exercise.Faultf("%q: F1 %.4f, it should be %.4f; are words compared by where they stand?",
					"%q：F1 %.4f，应当是%.4f；是按位置比较词的吗？", pair, got, want)
			}
		}
		return nil
	})
}

// Greedy checks exercise 4: greedy chooses tags from left to right, at each character the likeliest of those that the one
// before allows. scores is [T, 4].
func Greedy(greedy func(scores [][]float32) []segment.Tag) error {
	return exercise.Try(func() error {
		rng := rand.New(rand.NewPCG(1, 1))
		for _, T := range []int{1, 2, 5, 40, 40} {
			scores := make([][]float32, T) // of a network that knows nothing: what is likeliest makes no words
			for t := range scores {
				scores[t] = make([]float32, segment.Tags)
				for k := range scores[t] {
					scores[t][k] = float32(math.Log(rng.Float64()))
				}
			}
			if err := checkGreedy(scores, greedy(scores)); err != nil {
				return err
			}
		}
		return nil
	})
}

func checkGreedy(scores [][]float32, tags []segment.Tag) error {
	if len(tags) != len(scores) {
		return exercise.Faultf("%d tags for %d characters", "%d个标签，%d个字", len(tags), len(scores))
	}
	opened := false // whether the character before leaves its word open
	inside := func(tag segment.Tag) bool { return tag == segment.Middle || tag == segment.End }
	for t, tag := range tags {
		switch {
		case inside(tag) != opened && t == 0:
			return exercise.Faultf("character 1: %v: the first is B or S", "第1个字：%v：句首只能是B或S", tag)
		case inside(tag) != opened:
			return exercise.Faultf("character %d: %v is not allowed after %v", "第%d个字：%v不允许跟在%v之后", t+1, tag, tags[:t])
		}
		for k, score := range scores[t] {
			if other := segment.Tag(k); inside(other) == opened && score > scores[t][tag] {
				return exercise.Faultf("character %d: %v is taken, but %v is allowed and likelier",
					"第%d个字选了%v，可是%v也允许，而且更可能", t+1, tag, other)
			}
		}
		opened = tag == segment.Begin || tag == segment.Middle
	}
	return nil
}
