int schedule(void);

int schedule(void)
{
	return 1;
}
