module tools

go 1.26.5

require golang.org/x/tools/gopls v0.23.0
