// The stub: rsp walks an array of 64-byte records (engine/trace/program.h).
// Popping a record loads it; at the syscall rsp points to the record's result slot. A clone3 child whose stack is the
// result slot in front of its own program therefore falls into that program.
        .section .rodata
        .globl  nsr_stub_begin, nsr_stub_end, nsr_amx_begin, nsr_amx_end
nsr_stub_begin:
1:      pop     %rbx                    // nr | control << 32
        mov     %ebx, %eax
        sar     $32, %rbx
        test    %eax, %eax
        js      3f
        pop     %rdi
        pop     %rsi
        pop     %rdx
        pop     %r10
        pop     %r8
        pop     %r9
        syscall
        mov     %rax, (%rsp)
        mov     %rbx, %rcx
        and     $-8, %rcx
        mov     %rax, (%rsp,%rcx)       // also to a later record's argument; distance 0 = nowhere else
        test    $1, %bl
        jnz     2f
        cmp     $-4095, %rax
        jae     4f
2:      pop     %rcx
        jmp     1b
3:      cmp     $-2, %eax               // kJump: go on at another record
        jne     5f
        pop     %rsp
        jmp     1b
5:      cmp     $-3, %eax               // kLeave: go on at machine code
        jne     4f
        ret
4:      int3
nsr_stub_end:

// Makes the kernel give the thread its large AMX state: a tile configuration, one tile, then initial state again.
nsr_amx_begin:
        .byte   0xc4, 0xe2, 0x78, 0x49, 0x04, 0x24      // ldtilecfg (%rsp)
        .byte   0xc4, 0xe2, 0x7b, 0x49, 0xc0            // tilezero %tmm0
        .byte   0xc4, 0xe2, 0x78, 0x49, 0xc0            // tilerelease
        int3
nsr_amx_end:

        .text
        .globl  nsr_clone_into_stub
        .type   nsr_clone_into_stub, @function
// long nsr_clone_into_stub(clone_args*, size, stub): the child shares nothing with our stack frame, so it must not return
nsr_clone_into_stub:
        mov     $435, %eax
        push    %rbx
        xor     %ebx, %ebx              // the child starts behind the syscall of a record that forwards nothing
        syscall
        test    %rax, %rax
        jz      1f
        pop     %rbx
        ret
1:      jmp     *%rdx
        .section .note.GNU-stack,"",@progbits
