"""JupyterHub for a class with the Go kernels. README.md says how to install it; what is set here can be set otherwise."""

import os
from pathlib import Path

c = get_config()  # noqa: F821
hub = Path(__file__).resolve().parent
shared = hub.parents[2]  # what install.sh has filled, for everybody to read

# Who may log in: the accounts of this machine that are in this group, by their passwords there.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {"birnn"}
# Who may see and stop the servers of others, too: your account.
# c.Authenticator.admin_users = {"teacher"}

# Where browsers find it. For other machines: your address here, and a certificate in ssl_cert and ssl_key.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"

# The memory of one process: a cell, or a kernel, that wants more fails with "out of memory", and nobody else notices.
c.Spawner.mem_limit = "2G"

# A student's server: server.sh starts it. It stops after two hours in which nothing happens.
c.Spawner.cmd = ["sh", str(hub / "server.sh")]
c.Spawner.args = ["--MappingKernelManager.cull_idle_timeout=7200", "--ServerApp.shutdown_no_activity_timeout=7200"]
c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = 120  # seconds: a whole class starts at the same time

c.ConfigurableHTTPProxy.command = [str(shared / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy")]

# What the hub itself keeps: its database and its secrets, for root alone.
os.makedirs(shared / "state", mode=0o700, exist_ok=True)
os.chdir(shared / "state")
