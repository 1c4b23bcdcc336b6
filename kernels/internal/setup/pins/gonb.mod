module tools

go 1.26.5

require github.com/janpfeifer/gonb v0.11.5
