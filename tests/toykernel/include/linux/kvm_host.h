#ifndef __KVM_HOST_H
#define __KVM_HOST_H

struct kvm {
	long tlbs_dirty;
	int mmu_lock;
};

struct kvm_mmu_page {
	int level;
	int direct;
};

int kvm_flush_remote_tlbs(struct kvm *kvm);
int mmu_spte_update(struct kvm *kvm, unsigned long *sptep, unsigned long new_spte);

#endif
