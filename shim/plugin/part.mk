# Sources of the plugin layer; whoever links them links PLUGIN_LIBS too.
PLUGIN_SRCS := $(addprefix shim/plugin/,closure.c ip.c plugin.c signature.c)
PLUGIN_LIBS := -l:libffi_pic.a
