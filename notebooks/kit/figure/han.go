package figure

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// Noto Sans CJK SC with the characters of the lessons and of their corpus, under the licence in han.LICENSE. Of any other
// Chinese character a PNG has an empty box; Vega-Lite takes the fonts of the browser, and draws all.
//
//go:embed han.otf
var hanOTF []byte

var han = sync.OnceValue(func() font.Font {
	face, err := opentype.Parse(hanOTF)
	if err != nil {
		panic(err) // a test draws with it
	}
	f := font.Font{Typeface: "Noto Sans CJK SC"}
	font.DefaultCache.Add(font.Collection{{Font: f, Face: face}})
	return f
})

// chinese reports whether a text has Chinese characters.
func chinese(texts ...string) bool {
	return strings.ContainsFunc(strings.Join(texts, ""), func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// typeface returns a font that has the characters of all texts.
func typeface(texts ...string) font.Font {
	if chinese(texts...) {
		return han()
	}
	return plot.DefaultFont
}

// write sets the font of everything that is written in the plot.
func write(p *plot.Plot, in font.Font) {
	for _, f := range []*font.Font{
		&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font,
	} {
		*f = font.From(in, f.Size)
	}
	p.Y.Label.Padding = vg.Points(2)
}
