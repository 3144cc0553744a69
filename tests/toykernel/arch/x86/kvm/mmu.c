/*
 * A toy of the shadow MMU.
 */
#include <linux/kvm_host.h>

#define PT_WRITABLE_MASK	(1UL << 1)
#define PT_PRESENT_MASK		(1UL << 0)

static int is_shadow_present_pte(unsigned long pte)
{
	return pte & PT_PRESENT_MASK;
}

static int is_writable_pte(unsigned long pte)
{
	return (pte & PT_WRITABLE_MASK) != 0;
}

/*
 * Returns true when the TLB needs to be flushed.
 */
int mmu_spte_update(struct kvm *kvm, unsigned long *sptep, unsigned long new_spte)
{
	unsigned long old_spte = *sptep;

	if (!is_shadow_present_pte(old_spte)) {
		*sptep = new_spte;
		return 0;
	}

	*sptep = new_spte;

	if (is_writable_pte(old_spte) && !is_writable_pte(new_spte))
		return 1;

	return 0;
}

static void drop_spte(unsigned long *sptep)
{
	*sptep = 0;
}

int kvm_mmu_write_protect(struct kvm *kvm, unsigned long *sptep)
{
	unsigned long spte = *sptep;

	if (!is_writable_pte(spte))
		return 0;

	spte &= ~PT_WRITABLE_MASK;

	return mmu_spte_update(kvm, sptep, spte);
}

void kvm_mmu_zap(struct kvm *kvm, unsigned long *sptep)
{
	drop_spte(sptep);
	kvm_flush_remote_tlbs(kvm);
}
