int vmx_init(void);

int vmx_init(void)
{
	return 0;
}
