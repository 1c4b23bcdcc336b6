package checkpoints

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// ownMounts makes the process one that can mount file systems, which nobody else sees.
func ownMounts(cmd *exec.Cmd) bool {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	return true
}

// fillDisk saves on a small disk until that fails, and prints the error. It returns an error if it does not fail as it
// should.
func fillDisk(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%s: %w", cannotMount, err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=200k"); err != nil {
		return fmt.Errorf("%s: %w", cannotMount, err)
	}
	d, err := Open(dir, kind)
	if err != nil {
		return err
	}
	if err := d.Save(storeOf(1, 5), metadata{1}); err != nil {
		return err
	}
	for saves := 2; ; saves++ {
		size := 5_000 * saves
		err := d.Save(storeOf(saves, size), metadata{saves})
		entries, _ := os.ReadDir(dir)
		saved, damaged, errLoad := Load[metadata](d)
		if errLoad != nil || damaged != nil {
			return fmt.Errorf("save %d: %v, then %v, damaged %v", saves, err, errLoad, damaged)
		}
		if err != nil {
			fmt.Println(err)
			if saved.Metadata.Saves != saves-1 || len(entries) > 1+kept {
				return fmt.Errorf("save %d is loaded after save %d failed; the directory has %v", saved.Metadata.Saves, saves, entries)
			}
			return nil
		}
		if size*4 > 200_000 {
			return fmt.Errorf("save %d does not fit, but is there", saves)
		}
	}
}
