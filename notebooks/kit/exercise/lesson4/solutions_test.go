package lesson4_test

func slopeOfSigmoid(h float64) float64 { return h * (1 - h) }
func slopeOfReLU(h float64) float64 {
	if h > 0 {
		return 1
	}
	return 0
}

func mended(Whh matrix, X, H, dO []matrix, step int) (dWxh, dWhh, dbh matrix) {
	n, d, h := len(X[0]), len(X[0][0]), len(Whh)
	dWxh, dWhh, dbh = zeros(d, h), zeros(h, h), zeros(1, h)
	arriving := zeros(n, h)
	for _, t := range walk(len(X), -step) {
		dH := dO[t].with(arriving, add)
		dZ := dH.with(H[t], func(dh, h float64) float64 { return dh * (1 - h*h) })
		dWxh = dWxh.with(X[t].transposed().dot(dZ), add)
		if before := t - step; 0 <= before && before < len(X) {
			dWhh = dWhh.with(H[before].transposed().dot(dZ), add)
		}
		dbh = dbh.with(ones(1, n).dot(dZ), add)
		arriving = dZ.dot(Whh.transposed())
	}
	return dWxh, dWhh, dbh
}

func ofInitial(Whh matrix, H, dO []matrix, step int) matrix {
	arriving := zeros(len(H[0]), len(Whh))
	for _, t := range walk(len(H), -step) {
		dZ := dO[t].with(arriving, add).with(H[t], func(dh, h float64) float64 { return dh * (1 - h*h) })
		arriving = dZ.dot(Whh.transposed())
	}
	return arriving
}

func clip(gradients []matrix, θ float64) (clipped []matrix) {
	factor := min(1, θ/norm(gradients...))
	for _, g := range gradients {
		clipped = append(clipped, g.with(g, func(v, _ float64) float64 { return factor * v }))
	}
	return clipped
}

const rightRadius = 1.1
