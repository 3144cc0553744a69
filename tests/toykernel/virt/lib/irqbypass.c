int irq_bypass_register(void);

int irq_bypass_register(void)
{
	return 0;
}
