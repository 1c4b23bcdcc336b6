package jupyter

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"birnn/kernels/internal/home"
	"birnn/kernels/internal/process"
)

// Lab configures JupyterLab.
type Lab struct {
	Root     string // folder that it shows
	Notebook string // notebook that it opens, below Root; "": none
	Kernel   string // for new notebooks
	Port     int    // 0: the first free port from 8888
	Browser  bool
	Ready    func(url string) // called with the address once the server answers
}

// Lab runs JupyterLab until it is shut down or ctx is done.
func (j Jupyter) Lab(ctx context.Context, h home.Home, lab Lab) error {
	page := "/lab"
	if lab.Notebook != "" {
		rel, err := filepath.Rel(lab.Root, lab.Notebook)
		if err != nil {
			return err
		}
		page = (&url.URL{Path: "/lab/tree/" + filepath.ToSlash(rel)}).EscapedPath()
	}
	args := append(j.lab[1:],
		"--ServerApp.root_dir="+lab.Root,
		"--LabApp.default_url="+page,
		fmt.Sprintf("--ServerApp.open_browser=%v", map[bool]string{true: "True", false: "False"}[lab.Browser]),
		"--MultiKernelManager.default_kernel_name="+lab.Kernel,
	)
	if lab.Port != 0 {
		args = append(args, fmt.Sprintf("--ServerApp.port=%d", lab.Port), "--ServerApp.port_retries=0")
	}
	if os.Geteuid() == 0 {
		args = append(args, "--allow-root") // probably a container; Jupyter refuses otherwise
	}
	logPath := filepath.Join(h.Logs(), "jupyterlab.log")
	if err := os.MkdirAll(h.Logs(), 0o755); err != nil {
		return err
	}
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()

	temp, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	// In the environment, since every user can read a command line.
	token := rand.Text()
	cmd := process.Command(ctx, process.Options{Env: append(j.env, "JUPYTER_TOKEN="+token, "TMPDIR="+temp), Grace: 20 * time.Second}, j.lab[0], args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	defer process.End(cmd)
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	ended := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("JupyterLab stopped: %v; its log is %s:%s", err, logPath, tail(logPath))
	}
	for {
		select {
		case err := <-exited:
			return ended(err)
		case <-time.After(100 * time.Millisecond):
		}
		base := serverURL(h.Path("run"), token)
		if base == "" || !answers(ctx, base, token) {
			continue
		}
		lab.Ready(strings.TrimSuffix(base, "/") + page + "?token=" + token)
		if err := <-exited; err != nil || ctx.Err() != nil {
			return ended(err)
		}
		return nil // shut down from its menu
	}
}

// serverURL returns the address of the server with this token, from its file in Jupyter's runtime directory, or "".
func serverURL(runtime, token string) string {
	files, _ := filepath.Glob(filepath.Join(runtime, "jpserver-*.json"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		var server struct{ URL, Token string }
		if json.Unmarshal(data, &server) == nil && server.Token == token {
			return server.URL
		}
	}
	return ""
}

func answers(ctx context.Context, base, token string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/api/status", nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "token "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
