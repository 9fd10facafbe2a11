/*
 * xts_vaes256 - AES-XTS over 512-byte chunks, VAES on 256-bit registers (AVX2).
 *
 * A chunk is two halves of 8 registers of 2 blocks. With 16 registers the round keys come from
 * memory, one load for 8 registers. The tweaks of the next chunk are made between the rounds of
 * both halves, as in xts_vaes512: here from four vectors A = T * x^(2a, 2a + 1), a = 0..3.
 */
#if defined(__x86_64__)

#include "vmdk/xts/xts_x86.h"

    .section .rodata.xts_vaes256, "a", @progbits
    .balign 64
.Lleft:  .quad 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7
.Lright: .quad 64, 64, 63, 63, 62, 62, 61, 61, 60, 60, 59, 59, 58, 58, 57, 57
.Lwords:
    .rept 2
    WORDS
    .endr
    .irp at, 0, 2, 4, 8, 10, 12 /* one of these words alone */
.Ltake\at:
    .rept 2
    .byte \at, \at + 1
    .fill 14, 1, 128
    .endr
    .endr

/* ymm0-7 data, ymm8 round key, ymm9-15 tweaks in the making. */
#define KEY %ymm8
#define A0 %ymm9
#define A1 %ymm10
#define P0 %ymm11
#define P1 %ymm12
#define S %ymm13
#define V %ymm14
#define U %ymm15

#define KEYS %rdi
#define BASES %rsi
#define DST %rdx
#define SRC %rcx
#define CHUNKS %r8
#define NEXT %r9
#define THIS %r10

/* The tweaks of the next chunk in 2 times 15 steps: 0 to 14 for the first two A, 16 to 30 for the
 * last two. */
.macro step n
.if (\n) >= 0
    substep (\n)%16, ((\n)/16)*64
.endif
.endm

/* A times x^8, with the word of S at byte TAKE, and out at AT. */
.macro byte_further a take at v
    vpslldq $1, \a, \a
    vpshufb .Ltake\take(%rip), S, \v
    vpxor \v, \a, \a
    vmovdqa \a, \at(NEXT)
.endm

.macro substep n at
.if \n == 0
    vbroadcasti128 (BASES), V
.if \at
    add $16, BASES
.endif
    vpsrlvq .Lright+\at(%rip), V, P0
    vpsllvq .Lleft+\at(%rip), V, A0
.elseif \n == 1
    vpsrlvq .Lright+32+\at(%rip), V, P1
    vpsllvq .Lleft+32+\at(%rip), V, A1
    vpunpckhdq P0, P1, S /* the bits out of both high quadwords, in one quadword */
.elseif \n == 2 /* times 0x87 */
    vpaddd S, S, U
    vpaddd U, U, V
    vpxor U, V, V
.elseif \n == 3
    vpslld $7, S, U
    vpxor V, S, S
    vpxor U, S, S
.elseif \n == 4 /* into the low dword: a product; into the high quadword: what left the low one */
    vshufps $0x4d, P0, S, P0
    vshufps $0x48, P1, S, P1
.elseif \n == 5
    vpxor P0, A0, A0
    vpxor P1, A1, A1
    vmovdqa A0, \at(NEXT)
    vmovdqa A1, \at+32(NEXT)
.elseif \n == 6
    vpunpckhqdq A1, A0, S
    vpshufb .Lwords(%rip), S, S
.elseif \n == 7 /* times 0x87 */
    vpaddw S, S, U
    vpaddw U, U, V
    vpxor U, V, V
.elseif \n == 8
    vpsllw $7, S, U
    vpxor V, S, S
    vpxor U, S, S
.elseif \n == 9
    byte_further A0, 0, \at+128, V
.elseif \n == 10
    byte_further A1, 8, \at+160, U
.elseif \n == 11
    byte_further A0, 2, \at+256, V
.elseif \n == 12
    byte_further A1, 10, \at+288, U
.elseif \n == 13
    byte_further A0, 4, \at+384, V
.elseif \n == 14
    byte_further A1, 12, \at+416, U
.endif
.endm

.macro first half n
    vpxor \half*256+\n*32(THIS), KEY, %ymm\n
    vpxor \half*256+\n*32(SRC), %ymm\n, %ymm\n
.endm

.macro round op key s1=-1 s2=-1
    vbroadcasti128 \key(KEYS), KEY
    \op KEY, %ymm0, %ymm0
    \op KEY, %ymm1, %ymm1
    \op KEY, %ymm2, %ymm2
    step \s1
    \op KEY, %ymm3, %ymm3
    \op KEY, %ymm4, %ymm4
    \op KEY, %ymm5, %ymm5
    step \s2
    \op KEY, %ymm6, %ymm6
    \op KEY, %ymm7, %ymm7
.endm

/* The last AddRoundKey and the tweak in one go. */
.macro last op half n
    vpxor \half*256+\n*32(THIS), KEY, V
    \op V, %ymm\n, %ymm\n
    vmovdqu %ymm\n, \half*256+\n*32(DST)
.endm

.macro begin_half half key
    vbroadcasti128 \key(KEYS), KEY
    .irp n, 0,1,2,3,4,5,6,7
    first \half, \n
    .endr
.endm

.macro end_half oplast half key
    vbroadcasti128 \key(KEYS), KEY
    .irp n, 0,1,2,3,4,5,6,7
    last \oplast, \half, \n
    .endr
.endm

/* 14 rounds, with the steps that begin at FROM. */
.macro half14 op oplast schedule half from
    begin_half \half, \schedule
    round \op, \schedule+0x10, \from+0, \from+1
    round \op, \schedule+0x20, \from+2
    round \op, \schedule+0x30, \from+3
    round \op, \schedule+0x40, \from+4
    round \op, \schedule+0x50, \from+5
    round \op, \schedule+0x60, \from+6
    round \op, \schedule+0x70, \from+7, \from+8
    round \op, \schedule+0x80, \from+9
    round \op, \schedule+0x90, \from+10
    round \op, \schedule+0xa0, \from+11
    round \op, \schedule+0xb0, \from+12
    round \op, \schedule+0xc0, \from+13
    round \op, \schedule+0xd0, \from+14
    end_half \oplast, \half, \schedule+0xe0
.endm

.macro half10 op oplast schedule half from
    begin_half \half, \schedule
    round \op, \schedule+0x10, \from+0, \from+1
    round \op, \schedule+0x20, \from+2, \from+3
    round \op, \schedule+0x30, \from+4
    round \op, \schedule+0x40, \from+5, \from+6
    round \op, \schedule+0x50, \from+7, \from+8
    round \op, \schedule+0x60, \from+9, \from+10
    round \op, \schedule+0x70, \from+11
    round \op, \schedule+0x80, \from+12, \from+13
    round \op, \schedule+0x90, \from+14
    end_half \oplast, \half, \schedule+0xa0
.endm

.macro end
    xchg THIS, NEXT
    add $512, SRC
    add $512, DST
    dec CHUNKS
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
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    step \n
    .endr
    mov NEXT, THIS
    add $512, NEXT
    cmpl $14, ROUNDS(KEYS)
    jne .Lshort_\name
    .balign 64
1:
    half14 \op, \oplast, \schedule, 0, 0
    half14 \op, \oplast, \schedule, 1, 16
    end
    .balign 64
.Lshort_\name:
1:
    half10 \op, \oplast, \schedule, 0, 0
    half10 \op, \oplast, \schedule, 1, 16
    end
    .cfi_endproc
    .size \name, . - \name
.endm

    .text
    kernel xts_vaes256_encrypt, vaesenc, vaesenclast, ENCRYPT
    kernel xts_vaes256_decrypt, vaesdec, vaesdeclast, DECRYPT

#endif
    .section .note.GNU-stack, "", @progbits
