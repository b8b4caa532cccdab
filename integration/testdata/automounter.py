"""An automounter for one mount point, as systemd is for x-systemd.automount: automounter.py DIR FSTAB

It says that it is ready and mounts DIR when somebody comes there for the first time. autofs(5), and
Documentation/filesystems/autofs.rst of the kernel.
"""
import fcntl, os, struct, subprocess, sys

AUTOFS_IOC_READY, AUTOFS_IOC_FAIL = 0x9360, 0x9361

where, fstab = sys.argv[1:]
os.setpgid(0, 0)  # the kernel lets this process group through
r, w = os.pipe()
os.set_inheritable(w, True)
options = f"fd={w},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
subprocess.run(["mount", "-i", "-t", "autofs", "-o", options, "automounter", where], check=True, close_fds=False)
os.close(w)
root = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
print("ready", flush=True)
token = struct.unpack_from("=iiI", os.read(r, 4096))[2]
failed = subprocess.run(["mount", "--fstab", fstab, where]).returncode
fcntl.ioctl(root, AUTOFS_IOC_FAIL if failed else AUTOFS_IOC_READY, token)
os.close(root)
os.read(r, 4096)  # until it is ended
