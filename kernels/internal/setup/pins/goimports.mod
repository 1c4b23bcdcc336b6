module tools

go 1.26.5

require golang.org/x/tools v0.52.0
