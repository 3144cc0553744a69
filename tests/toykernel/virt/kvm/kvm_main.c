#include <linux/kvm_host.h>

int kvm_flush_remote_tlbs(struct kvm *kvm)
{
	long dirty_count = kvm->tlbs_dirty;

	if (dirty_count)
		kvm->tlbs_dirty = 0;

	return dirty_count != 0;
}
