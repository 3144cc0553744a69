int svm_init(void);

int svm_init(void)
{
	return 0;
}
