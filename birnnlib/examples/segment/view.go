package segment

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// View shows how a network sees a text: the probability of each tag of each character, and the words. It is for networks
// without a conditional random field, whose scores are logarithms of probabilities.
type View struct {
	Caption string
	Text    string
	Scores  [][]float32 // [T, 4], as Model.Scores returns them
	Tags    []Tag       // [T], the tags taken, such as Decode returns them
}

// Show puts the view into the output of a notebook's cell, as a table and as plain text. Outside a
// notebook it does nothing.
func (v View) Show() {
	if !gonbui.IsNotebook {
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{
		protocol.MIMETextHTML: v.HTML(), protocol.MIMETextPlain: v.String(),
	}})
	gonbui.Sync()
}

// characters returns those of the text. It panics unless each has its scores and a tag.
func (v View) characters() []rune {
	characters := []rune(v.Text)
	if len(v.Scores) != len(characters) || len(v.Tags) != len(characters) {
		panic(fmt.Sprintf("segment: a View has %d characters, scores for %d and tags for %d; give each character both", len(characters), len(v.Scores), len(v.Tags)))
	}
	checkScores("View", v.Scores)
	for t, tag := range v.Tags {
		if tag < 0 || tag >= Tags {
			panic(fmt.Sprintf("segment: the tag of character %d in a View is %d; take Begin, Middle, End or Single", t+1, tag))
		}
	}
	return characters
}

// String writes the words with spaces between them, and each character with its tag and how likely that is.
func (v View) String() string {
	characters := v.characters()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", v.Caption, strings.Join(Words(characters, v.Tags), " "))
	for t, c := range characters {
		fmt.Fprintf(&b, "%c %v %s  ", c, v.Tags[t], percent(v.probability(t, v.Tags[t])))
	}
	return strings.TrimRight(b.String(), " ")
}

func (v View) probability(t int, tag Tag) float64 { return math.Exp(float64(v.Scores[t][tag])) }

func percent(p float64) string { return fmt.Sprintf("%.0f%%", 100*p) }

// columns is how many characters stand side by side, so that the table fits into a notebook.
const columns = 24

// HTML writes tables of a column for each character and a row for each tag: the more likely, the darker. The tag taken is
// framed, and a double line stands between words, so that neither needs colour; colours are set for the text as well as
// behind it, so that they are the same in a dark theme.
func (v View) HTML() string {
	characters := v.characters()
	var b strings.Builder
	fmt.Fprintf(&b, "<p>%s: %s</p>\n", html.EscapeString(v.Caption), html.EscapeString(strings.Join(Words(characters, v.Tags), " ")))
	for from := 0; from < len(characters); from += columns {
		to := min(from+columns, len(characters))
		b.WriteString(`<table style="border-collapse:collapse;text-align:center;color:#000;background:#fff">` + "\n<tr><th></th>")
		for t := from; t < to; t++ {
			fmt.Fprintf(&b, `<th scope="col" style="font-size:150%%;text-align:center;color:#000;background:#fff;%s">%s</th>`, v.between(t), html.EscapeString(string(characters[t])))
		}
		b.WriteString("</tr>\n")
		for tag := range Tag(Tags) {
			fmt.Fprintf(&b, `<tr><th scope="row" style="color:#000;background:#fff">%v</th>`, tag)
			for t := from; t < to; t++ {
				b.WriteString(v.cell(t, tag))
			}
			b.WriteString("</tr>\n")
		}
		b.WriteString("</table>\n")
	}
	return b.String()
}

// between is the line before a character: double where a word begins.
func (v View) between(t int) string {
	if v.Tags[t].begins() || t > 0 && v.Tags[t-1].ends() {
		return "border-left:4px double #000;"
	}
	return "border-left:1px solid #ccc;"
}

// cell is the probability of a tag, on white that turns to blue.
func (v View) cell(t int, tag Tag) string {
	p := v.probability(t, tag)
	shade := func(full int) int { return 255 - int(math.Round(p*float64(255-full))) }
	text := "#000"
	if p > 0.5 {
		text = "#fff"
	}
	content := percent(p)
	if tag == v.Tags[t] {
		content = "<b>[" + content + "]</b>"
	}
	return fmt.Sprintf(`<td style="%scolor:%s;background:rgb(%d,%d,%d)">%s</td>`, v.between(t), text, shade(0), shade(90), shade(160), content)
}
