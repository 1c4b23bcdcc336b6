package kernelspec

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	imagepng "image/png"
	"strings"
)

// The logo, drawn for this project: an arrow forward above an arrow backward, the two directions in which the network
// reads. Coordinates are in a square of 64 by 64. The SVG and the PNGs share these points.
const (
	logoSide   = 64
	logoCorner = 12 // radius of the square's corners
)

type point struct{ x, y float64 }

var forward = []point{{10, 19}, {36, 19}, {36, 11}, {54, 23}, {36, 35}, {36, 27}, {10, 27}}

// backward returns forward rotated by 180° about the centre of the square.
func backward() []point {
	turned := make([]point, len(forward))
	for i, p := range forward {
		turned[i] = point{logoSide - p.x, logoSide - p.y}
	}
	return turned
}

func svg(fill string) string {
	path := func(points []point) string {
		var d strings.Builder
		for i, p := range points {
			letter := "L"
			if i == 0 {
				letter = "M"
			}
			fmt.Fprintf(&d, "%s%g %g", letter, p.x, p.y)
		}
		return d.String() + "Z"
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" width="%[1]d" height="%[1]d">
<title>An arrow forward above an arrow backward</title>
<rect width="%[1]d" height="%[1]d" rx="%[2]d" fill="%[3]s"/>
<path d="%[4]s" fill="#fff"/>
<path d="%[5]s" fill="#fff" fill-opacity=".75"/>
</svg>
`, logoSide, logoCorner, fill, path(forward), path(backward()))
}

// png draws the logo as a square of size pixels.
func png(fill string, size int) ([]byte, error) {
	var r, g, b uint8
	if _, err := fmt.Sscanf(fill, "#%02x%02x%02x", &r, &g, &b); err != nil {
		return nil, fmt.Errorf("colour %q: %w", fill, err)
	}
	const samples = 4 // per pixel side, for antialiasing
	back := backward()
	picture := image.NewNRGBA(image.Rect(0, 0, size, size))
	for py := range size {
		for px := range size {
			var covered, white float64
			for s := range samples * samples {
				p := point{
					(float64(px) + (float64(s%samples)+0.5)/samples) * logoSide / float64(size),
					(float64(py) + (float64(s/samples)+0.5)/samples) * logoSide / float64(size),
				}
				if !inSquare(p) {
					continue
				}
				covered++
				switch {
				case inside(forward, p):
					white++
				case inside(back, p):
					white += 0.75
				}
			}
			if covered == 0 {
				continue
			}
			mix := func(c uint8) uint8 { return uint8(float64(c) + (255-float64(c))*white/covered + 0.5) }
			picture.SetNRGBA(px, py, color.NRGBA{mix(r), mix(g), mix(b), uint8(255*covered/(samples*samples) + 0.5)})
		}
	}
	var out bytes.Buffer
	err := imagepng.Encode(&out, picture)
	return out.Bytes(), err
}

// inSquare reports whether p is in the rounded square.
func inSquare(p point) bool {
	dx := max(logoCorner-p.x, p.x-(logoSide-logoCorner), 0)
	dy := max(logoCorner-p.y, p.y-(logoSide-logoCorner), 0)
	return dx*dx+dy*dy <= logoCorner*logoCorner
}

// inside reports whether p is in a polygon: a ray from it crosses the outline an odd number of times.
func inside(polygon []point, p point) bool {
	odd := false
	for i, a := range polygon {
		b := polygon[(i+1)%len(polygon)]
		if (a.y > p.y) != (b.y > p.y) && p.x < a.x+(p.y-a.y)/(b.y-a.y)*(b.x-a.x) {
			odd = !odd
		}
	}
	return odd
}
