/*
 * xts_aesni - AES-XTS over 512-byte chunks, AES-NI on 128-bit registers (AVX encoding).
 *
 * A chunk is 4 groups of 8 blocks. The tweaks of the next group are made between the rounds, one
 * doubling after the other: their chain of 3 cycles a block is shorter than the time that the
 * rounds of a block take on any CPU with AES-NI.
 */
#if defined(__x86_64__)

#include "vmdk/xts/xts_x86.h"

    .section .rodata.xts_aesni, "a", @progbits
    .balign 16
.Lcarry: .long 0x87, 0, 1, 0

/* xmm0-7 data, xmm8 round key, xmm12-15 tweaks in the making. */
#define KEY %xmm8
#define V %xmm12
#define C %xmm13
#define T %xmm14
#define CARRY %xmm15

#define KEYS %rdi
#define BASES %rsi
#define DST %rdx
#define SRC %rcx
#define GROUPS %r8
#define NEXT %r9
#define THIS %r10

/* The tweaks of the next group in 16 steps, 2 for each: store T, and T = T * x. The sign of
 * dword 3 is the bit that leaves at the top, that of dword 1 goes from the low to the high half. */
.macro step n
.if \n >= 0
.if \n % 2 == 0
    vmovdqa T, (\n/2)*16(NEXT)
    vpshufd $0x13, T, C
.else
    vpaddq T, T, T
    vpsrad $31, C, C
    vpand CARRY, C, C
    vpxor C, T, T
.endif
.endif
.endm

.macro round op key s1=-1 s2=-1
    vmovdqa \key(KEYS), KEY
    \op KEY, %xmm0, %xmm0
    \op KEY, %xmm1, %xmm1
    \op KEY, %xmm2, %xmm2
    step \s1
    \op KEY, %xmm3, %xmm3
    \op KEY, %xmm4, %xmm4
    \op KEY, %xmm5, %xmm5
    step \s2
    \op KEY, %xmm6, %xmm6
    \op KEY, %xmm7, %xmm7
.endm

.macro first n
    vpxor \n*16(THIS), KEY, %xmm\n
    vpxor \n*16(SRC), %xmm\n, %xmm\n
.endm

/* The last AddRoundKey and the tweak in one go. */
.macro last op n
    vpxor \n*16(THIS), KEY, V
    \op V, %xmm\n, %xmm\n
    vmovdqu %xmm\n, \n*16(DST)
.endm

.macro next_base
    vmovdqa (BASES), T
    add $16, BASES
.endm

.macro begin schedule
    .balign 64
1:
    mov GROUPS, %rax
    and $3, %eax
    cmp $1, %eax
    jne 2f
    next_base
2:
    vmovdqa \schedule(KEYS), KEY
    .irp n, 0,1,2,3,4,5,6,7
    first \n
    .endr
.endm

.macro end oplast key
    vmovdqa \key(KEYS), KEY
    .irp n, 0,1,2,3,4,5,6,7
    last \oplast, \n
    .endr
    xchg THIS, NEXT
    add $128, SRC
    add $128, DST
    dec GROUPS
    jnz 1b
    vzeroall /* no key is left in a register */
    ret
.endm

.macro kernel name op oplast schedule
    .globl \name
    .hidden \name
    .type \name, @function
    .balign 64
\name:
    .cfi_startproc
    vmovdqa .Lcarry(%rip), CARRY
    next_base
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    step \n
    .endr
    mov NEXT, THIS
    add $128, NEXT
    shl $2, GROUPS
    cmpl $14, ROUNDS(KEYS)
    jne .Lshort_\name

    begin \schedule
    round \op, \schedule+0x10, 0
    round \op, \schedule+0x20, 1
    round \op, \schedule+0x30, 2, 3
    round \op, \schedule+0x40, 4
    round \op, \schedule+0x50, 5
    round \op, \schedule+0x60, 6
    round \op, \schedule+0x70, 7, 8
    round \op, \schedule+0x80, 9
    round \op, \schedule+0x90, 10
    round \op, \schedule+0xa0, 11, 12
    round \op, \schedule+0xb0, 13
    round \op, \schedule+0xc0, 14
    round \op, \schedule+0xd0, 15
    end \oplast, \schedule+0xe0

.Lshort_\name:
    begin \schedule
    round \op, \schedule+0x10, 0, 1
    round \op, \schedule+0x20, 2, 3
    round \op, \schedule+0x30, 4, 5
    round \op, \schedule+0x40, 6, 7
    round \op, \schedule+0x50, 8
    round \op, \schedule+0x60, 9
    round \op, \schedule+0x70, 10, 11
    round \op, \schedule+0x80, 12, 13
    round \op, \schedule+0x90, 14, 15
    end \oplast, \schedule+0xa0
    .cfi_endproc
    .size \name, . - \name
.endm

    .text
    kernel xts_aesni_encrypt, vaesenc, vaesenclast, ENCRYPT
    kernel xts_aesni_decrypt, vaesdec, vaesdeclast, DECRYPT

#endif
    .section .note.GNU-stack, "", @progbits
