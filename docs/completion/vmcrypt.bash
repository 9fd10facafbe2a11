# bash completion for vmcrypt and the vmcrypt-* programs. What can be completed is read from their
# --help at run time, so that it is never out of date.
# shellcheck shell=bash

# The names below "Commands:" in a help text.
_vmcrypt_commands()
{
    sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z0-9-]*\).*/\1/p' <<<"$1"
}

# The options in a help text, in both their forms.
_vmcrypt_options()
{
    sed -n 'h; s/^  *\(-[a-z]\), --.*/\1/p; g; s/^  *\(-[a-z], \)\{0,1\}\(--[a-z0-9-]*\).*/\2/p' <<<"$1"
}

# The kind of argument an option takes ("FILE"), nothing when it takes none. HELP OPTION
_vmcrypt_argument()
{
    sed -n "s/^  *\(.*, \)\{0,1\}$2\(, --[a-z0-9-]*\)\{0,1\} \([^ a-z][^ a-z]*\) .*/\3/p" <<<"$1"
}

# Files that begin with the word at hand: VM files only, as long as there are any.
_vmcrypt_files()
{
    # compgen wants the word as it will be read, readline quotes the answers again.
    local word=${1//\\/} pattern
    word=${word#[\"\']}
    compopt -o filenames 2>/dev/null || true
    for pattern in '!*.vmx' '!*.vmdk'; do
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -X "$pattern" -- "$word")
    done
    if [ ${#COMPREPLY[@]} -gt 0 ] && [ -z "$2" ]; then
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

_vmcrypt_words()
{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_vmcrypt()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} i help verbs
    local -a command=("${COMP_WORDS[0]/#\~/$HOME}")
    COMPREPLY=()

    # readline makes three words of --option=value, and of ID=FILE.
    if [ "$word" = "=" ]; then
        word=''
    elif [ "$before" = "=" ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
        [[ $before == -* ]] || { _vmcrypt_files "$word" any && return; }
    fi

    # Walk down the commands as far as the line names them: vmcrypt, vmx, decrypt.
    help=$("${command[@]}" --help </dev/null 2>/dev/null) || true
    verbs=$(_vmcrypt_commands "$help")
    for ((i = 1; i < COMP_CWORD; i++)); do
        [ -n "$verbs" ] || break
        grep -qxF -e "${COMP_WORDS[i]}" <<<"$verbs" || continue
        command+=("${COMP_WORDS[i]}")
        help=$("${command[@]}" --help </dev/null 2>/dev/null) || true
        verbs=$(_vmcrypt_commands "$help")
    done

    if [[ $before =~ ^--?[a-z0-9-]+$ ]]; then
        case $(_vmcrypt_argument "$help" "$before") in
        '') ;;
        WHEN) _vmcrypt_words "auto always never" "$word" && return ;;
        *FILE* | *DIR* | *PATH*) _vmcrypt_files "$word" any && return ;;
        *) return ;;
        esac
    fi
    if [[ $word == -* ]]; then
        _vmcrypt_words "$(_vmcrypt_options "$help")" "$word"
    elif [ -n "$verbs" ]; then
        _vmcrypt_words "$verbs" "$word"
    else
        _vmcrypt_files "$word" ''
    fi
}

complete -F _vmcrypt vmcrypt vmcrypt-recover vmcrypt-mount vmcrypt-vmx vmcrypt-disk vmcrypt-file vmcrypt-key vmcrypt-tpm
