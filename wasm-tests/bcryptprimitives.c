/* Random numbers for Rust's standard library under a Wine that has no bcryptprimitives.dll. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count)
{
    const SIZE_T most = 1 << 20;
    while (count > 0) {
        ULONG step = (ULONG)(count < most ? count : most);
        if (!SystemFunction036(bytes, step))
            return FALSE;
        bytes += step;
        count -= step;
    }
    return TRUE;
}
