#include <linux/kvm_host.h>

int kvm_vm_ioctl_get_dirty_log(struct kvm *kvm);

int kvm_vm_ioctl_get_dirty_log(struct kvm *kvm)
{
	kvm->mmu_lock = 1;
	kvm_flush_remote_tlbs(kvm);
	kvm->mmu_lock = 0;

	return 0;
}
