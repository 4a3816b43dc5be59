// See arch/clone_vm.h.
#include <sys/syscall.h>

        .text
        .globl  nsr_clone3_vm
        .type   nsr_clone3_vm, @function
nsr_clone3_vm:
        .cfi_startproc
        mov     %rdx, %r8               // fn and arg where the syscall leaves them alone (it takes rcx and r11)
        mov     %rcx, %r9
        mov     $SYS_clone3, %eax
        syscall
        test    %rax, %rax
        jz      1f
        ret
1:      .cfi_undefined rip
        xor     %ebp, %ebp
        sub     $8, %rsp                // the parent's return address stays; the stack is aligned for a call
        mov     %r9, %rdi
        call    *%r8
        mov     %eax, %edi
        mov     $SYS_exit, %eax
        syscall
        hlt
        .cfi_endproc
        .size   nsr_clone3_vm, .-nsr_clone3_vm
        .section .note.GNU-stack, "", @progbits
