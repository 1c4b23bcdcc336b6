"""JupyterHub for a class with the Go kernels; README.md says how to install it. All settings may be changed."""

import os
from pathlib import Path

c = get_config()  # noqa: F821
hub = Path(__file__).resolve().parent
shared = hub.parents[2]  # installed by install.sh, readable by everybody

# Who may log in: the accounts of this machine in this group, with their passwords.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {"birnn"}
# Who may also see and stop other users' servers: your account.
# c.Authenticator.admin_users = {"teacher"}

# The address. To serve other machines, set it to this machine's address, and set ssl_cert and ssl_key to a certificate.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"

# The memory limit of a process: a cell or kernel that needs more fails with "out of memory"; other users are not affected.
c.Spawner.mem_limit = "2G"

# server.sh starts a student's server. The server stops after two hours without activity.
c.Spawner.cmd = ["sh", str(hub / "server.sh")]
c.Spawner.args = ["--MappingKernelManager.cull_idle_timeout=7200", "--ServerApp.shutdown_no_activity_timeout=7200"]
c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = 120  # seconds; a whole class starts at the same time

c.ConfigurableHTTPProxy.command = [str(shared / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy")]

# The hub's database and secrets, readable by root only.
os.makedirs(shared / "state", mode=0o700, exist_ok=True)
os.chdir(shared / "state")
